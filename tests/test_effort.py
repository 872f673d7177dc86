"""Effort: smaller files of better pictures, for the encoder's time alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from click.testing import CliRunner
from PIL import Image

import aecodec
import aecodec.pillow
from aecodec import refinement
from aecodec.cli.main import main
from aecodec.codec import Codec, Pixels
from aecodec.effort import steps_of
from aecodec.errors import EffortWarning
from aecodec.evaluation.curves import bd_rate
from aecodec.evaluation.metrics import mse
from aecodec.networks.config import ConvolutionalConfig
from aecodec.networks.rate import lagrangian
from aecodec.options import DEFAULT_EFFORT
from aecodec.pictures.images import Picture
from aecodec.stack import decode_stack, encode_stack
from tests.conftest import TINY
from tests.curves import curve


def cost(codec: Codec, pixels: Pixels, data: bytes, quality: float) -> float:
    """Bits per pixel and weighted squared error, which training and refinement minimise."""
    restored = decode_stack(data, models=[TINY]) if pixels.ndim == 4 else codec.decode(data)
    weight = lagrangian(codec.card.config, torch.tensor((quality - 1) / 99))
    return 8 * len(data) / (pixels.size // 3) + float(weight) * mse(pixels, restored)


def test_effort_makes_files_smaller_at_equal_quality(photo_psnr: Codec, picture: Pixels) -> None:
    pictures = [picture, skimage.data.coffee()[100:292, 100:356], skimage.data.astronaut()[20:212, 100:356]]
    none, little, more, much = (curve(photo_psnr, pictures, effort) for effort in (0, 1, 2, 6))
    assert bd_rate(none, little) < -1.5
    assert bd_rate(little, more) < -0.5
    assert bd_rate(more, much) < -1.5


def test_effort_on_pictures_of_several_tiles_and_odd_sizes(tiny: Codec) -> None:
    wide = np.ascontiguousarray(np.concatenate([skimage.data.astronaut()[100:139]] * 3, axis=1)[:, :1101])
    costs = [cost(tiny, wide, tiny.encode(wide, 60, effort=e), 60) for e in (0, 4)]
    assert costs[1] < 0.995 * costs[0]


def test_effort_on_stacks(tiny: Codec) -> None:
    pictures = np.stack([skimage.data.coffee()[30 * i : 30 * i + 30, :44] for i in range(10)])
    costs = [cost(tiny, pictures, encode_stack(pictures, 60, tiny, effort=e), 60) for e in (0, 4)]
    assert costs[1] < 0.995 * costs[0]


def test_grey_pictures_stay_grey(photo_psnr: Codec, picture: Pixels) -> None:
    grey = np.ascontiguousarray(picture[:100, :90, 1])
    restored = photo_psnr.decode(photo_psnr.encode(grey, 50, effort=1))
    assert restored.shape == grey.shape


def test_the_same_effort_gives_the_same_file(tiny: Codec, picture: Pixels) -> None:
    assert tiny.encode(picture, 60, effort=1) == tiny.encode(picture, 60, effort=1)


def test_effort_within_inference_mode(tiny: Codec, picture: Pixels) -> None:
    with torch.inference_mode():
        assert tiny.encode(picture, 60, effort=1) == tiny.encode(picture, 60, effort=1)


def test_target_sizes_are_kept(photo_psnr: Codec, picture: Pixels) -> None:
    assert len(photo_psnr.encode_picture(Picture(picture), target_size=3000, effort=2)) <= 3000


@pytest.mark.parametrize("effort", [-1, 10])
def test_other_efforts_are_refused(tiny: Codec, picture: Pixels, effort: int) -> None:
    with pytest.raises(ValueError, match=r"effort -?\d+ is not within 0\.\.9"):
        tiny.encode(picture, effort=effort)
    with pytest.raises(ValueError, match="effort"):
        encode_stack(picture[None], 60, tiny, effort=effort)


@pytest.mark.parametrize("quality", [30, 90])
def test_what_no_model_has_seen_becomes_no_worse(photo_psnr: Codec, quality: int) -> None:
    checks = np.indices((96, 96)) // 8
    pictures = [np.full((64, 64, 3), (0, 255, 0), np.uint8), np.repeat(checks.sum(0)[..., None] % 2 * 255, 3, 2)]
    for pixels in (np.asarray(each, np.uint8) for each in pictures):
        files = [photo_psnr.encode(pixels, quality, effort=effort, fallback=False) for effort in (0, 1, 6)]
        none, little, much = (cost(photo_psnr, pixels, data, quality) for data in files)
        assert max(little, much) < 1.02 * none


def test_models_for_the_eye_are_not_refined(photo: Codec, picture: Pixels) -> None:
    with pytest.warns(EffortWarning, match="effort 3 changes nothing: the model photo was trained for the eye"):
        refined = photo.encode(picture, 60, effort=3)
    assert refined == photo.encode(picture, 60, effort=0)


def test_denoising_models_do_not_bring_back_the_noise(tiny: Codec, picture: Pixels) -> None:
    card = replace(tiny.card, training=replace(tiny.card.training, denoising=True))
    codec = Codec(replace(tiny.weights, card=card))
    with pytest.warns(EffortWarning, match="trained to leave out noise"):
        assert codec.encode(picture, 60, effort=3) == tiny.encode(picture, 60, effort=0)
    with pytest.raises(ValueError, match="effort"):
        codec.encode(picture, effort=10)


def test_strips_agree_with_the_whole(tiny: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    tall = np.ascontiguousarray(skimage.data.astronaut()[:400, 100:164])
    whole, strips = (_with_strips_of(rows, tiny, tall, monkeypatch) for rows in (64, 8))
    assert len(strips) == pytest.approx(len(whole), rel=0.003)
    assert mse(tall, tiny.decode(strips)) == pytest.approx(mse(tall, tiny.decode(whole)), rel=0.003)


def _with_strips_of(rows: int, codec: Codec, pixels: Pixels, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(refinement, "STRIP", rows)
    return codec.encode(pixels, 60, effort=3)


def test_the_default_is_none(tiny: Codec, picture: Pixels) -> None:
    assert DEFAULT_EFFORT == steps_of(DEFAULT_EFFORT) == 0
    assert tiny.encode(picture, 60) == tiny.encode(picture, 60, effort=DEFAULT_EFFORT)
    assert tiny.encode(picture, 60) != tiny.encode(picture, 60, effort=1)


def test_effort_from_the_command_line_python_and_pillow(picture: Pixels, tmp_path: Path) -> None:
    source = tmp_path / "cat.png"
    Image.fromarray(picture).save(source)
    result = CliRunner().invoke(
        main, ["compress", str(source), "-q", "30", "--effort", "2", "--model", "photo-psnr", "--quiet"]
    )
    assert result.exit_code == 0, result.output
    data = aecodec.encode(picture, 30, "photo-psnr", effort=2)
    assert (tmp_path / "cat.aec").read_bytes() == data
    assert data != aecodec.encode(picture, 30, "photo-psnr")
    Image.fromarray(picture).save(tmp_path / "pillow.aec", quality=30, effort=2, model="photo-psnr")
    assert (tmp_path / "pillow.aec").read_bytes() == data


def test_effort_is_0_to_9_on_the_command_line() -> None:
    result = CliRunner().invoke(main, ["compress", "x.png", "--effort", "10"])
    assert result.exit_code == 2
    assert "effort" in result.stderr


def test_the_weight_of_errors_grows_with_the_quality() -> None:
    config = ConvolutionalConfig()
    weights = lagrangian(config, torch.tensor([0.0, 0.5, 1.0]))
    assert weights[0] == pytest.approx(config.lambda_min)
    assert weights[2] == pytest.approx(config.lambda_max)
    assert weights[0] < weights[1] < weights[2]
