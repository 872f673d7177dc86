"""Stacks: many pictures of one size in one file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from click.testing import CliRunner, Result
from PIL import Image
from sklearn.datasets import load_digits

from aecodec.cli.main import main
from aecodec.codec import Codec, decode_picture
from aecodec.errors import AecError, DecodeError, FormatError, ImageError, LimitError, ModelError
from aecodec.evaluation.metrics import psnr
from aecodec.format.container import Coding, pack, parse, parse_header
from aecodec.pictures.arrays import read_array, write_array
from aecodec.stack import decode_stack, encode_stack
from aecodec.weights import find, load_weights
from tests.conftest import TINY

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> Pixels:
    """140 pictures (40, 44, 3): more than one chunk."""
    source = skimage.data.astronaut()
    corners = np.random.default_rng(0).integers(0, 460, (140, 2))
    return np.stack([source[top : top + 40, left : left + 44] for top, left in corners])


@pytest.fixture(scope="module")
def data(tiny: Codec, pictures: Pixels) -> bytes:
    data = encode_stack(pictures, 80, tiny)
    assert parse_header(data).coding == Coding.LATENTS
    return data


def test_a_stack_there_and_back(pictures: Pixels, data: bytes) -> None:
    restored = decode_stack(data, models=(TINY,))
    assert restored.shape == pictures.shape
    assert psnr(pictures, restored) > 20


def test_a_stack_of_grey_pictures(tiny: Codec, pictures: Pixels) -> None:
    grey = pictures[:30, :, :, 1]
    data = encode_stack(grey, 80, tiny)
    assert parse_header(data).channels == 1
    restored = decode_stack(data, models=(TINY,))
    assert restored.shape == grey.shape
    assert np.array_equal(decode_stack(encode_stack(grey[..., None], 80, tiny), models=(TINY,)), restored)


def test_pictures_of_a_stack_are_those_of_single_files(tiny: Codec, pictures: Pixels) -> None:
    single = np.stack([tiny.decode(tiny.encode(p, 80, effort=0)) for p in pictures[:5]]).astype(int)
    stack = decode_stack(encode_stack(pictures, 80, tiny, effort=0), models=(TINY,))
    assert np.abs(stack[:5] - single).max() <= 2


def test_models_of_small_pictures_see_them_as_in_training() -> None:
    """Repeating their latents' edges to whole hyper latents would cost bytes and quality."""
    small = [Image.fromarray((16 * x).clip(0, 255).astype(np.uint8)).resize((20, 20)) for x in load_digits().images]
    pictures = np.pad(np.stack([np.asarray(x) for x in small[:100]]), ((0, 0), (4, 4), (4, 4)))
    weights = load_weights(find("digits"))
    assert weights.card.training.crop == 32
    costs = []
    for crop in (32, 64):
        training = replace(weights.card.training, crop=crop)
        codec = Codec(replace(weights, card=replace(weights.card, training=training)))
        coded = codec.write_latents(codec.analyse(pictures), 6000)
        costs.append(len(coded.payload))
    assert costs[0] < 0.5 * costs[1]


def test_pictures_larger_than_those_that_a_model_of_small_ones_knows() -> None:
    pixels = np.full((2, 32, 33), 90, np.uint8)
    assert decode_stack(encode_stack(pixels[..., 1:], 60, "digits")).shape == (2, 32, 32)
    with pytest.raises(ImageError, match="33 x 32 pixels, and the model digits is for pictures of up to 32 x 32"):
        encode_stack(pixels, 60, "digits")


def test_one_picture_needs_one_chunk(pictures: Pixels, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode_stack(data, models=(TINY,))
    decoded: list[int] = []
    read = Codec.read_latents

    def counted(self: Codec, coded: object, count: int, header: object) -> object:
        decoded.append(count)
        return read(self, coded, count, header)  # type: ignore[arg-type]

    monkeypatch.setattr(Codec, "read_latents", counted)
    for k in (0, 70, 139):
        decoded.clear()
        assert np.abs(decode_stack(data, k, models=(TINY,)).astype(int) - whole[k]).max() <= 1
        assert sum(decoded) < len(pictures)
    for k in (-1, 140):
        with pytest.raises(ImageError, match="no picture"):
            decode_stack(data, k, models=(TINY,))


def test_a_stack_costs_less_than_its_pictures(tiny: Codec, pictures: Pixels, data: bytes) -> None:
    single = sum(len(tiny.encode(p, 80)) for p in pictures)
    assert len(data) < single - 20 * len(pictures)


def test_never_larger_than_lossless(tiny: Codec) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8)
    flat = np.zeros((300, 9, 7, 3), np.uint8)
    for pictures in (noise, flat):
        data = encode_stack(pictures, 100, tiny)
        if parse_header(data).coding == Coding.LOSSLESS:
            assert np.array_equal(decode_stack(data), pictures)
            assert np.array_equal(decode_stack(data, 7), pictures[7])
        assert len(data) <= pictures.size + 200
    assert parse_header(data).coding == Coding.LOSSLESS
    assert parse_header(encode_stack(flat, 100, tiny, fallback=False)).coding == Coding.LATENTS


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 2), (0, 4, 4), (1, 2, 3, 4, 5)])
def test_arrays_that_are_no_stacks(tiny: Codec, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="a stack is"):
        encode_stack(np.zeros(shape, np.uint8), 50, tiny)
    with pytest.raises(ImageError, match="float"):
        encode_stack(np.zeros((2, 8, 8)), 50, tiny)  # type: ignore[arg-type]


def test_stacks_and_pictures_are_told_apart(tiny: Codec, pictures: Pixels, data: bytes) -> None:
    for decode in (tiny.decode, decode_picture):
        with pytest.raises(FormatError, match="stack"):
            decode(data)
    with pytest.raises(FormatError, match="not a stack"):
        decode_stack(tiny.encode(pictures[0]), models=(TINY,))


def test_the_model_must_be_at_hand(data: bytes) -> None:
    with pytest.raises(ModelError, match="looked in"):
        decode_stack(data)


def test_the_limit_counts_all_pictures(data: bytes) -> None:
    with pytest.raises(LimitError, match="140 pictures"):
        decode_stack(data, models=(TINY,), max_pixels=100_000)


def test_damage_is_an_error(tiny: Codec, pictures: Pixels) -> None:
    data = encode_stack(pictures[:2, :16, :16], 60, tiny)
    assert parse_header(data).coding == Coding.LATENTS
    for length in range(len(data)):
        with pytest.raises(AecError):
            decode_stack(data[:length], models=(TINY,))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AecError):
            decode_stack(bytes(damaged), models=(TINY,))


def test_damage_below_right_checksums_is_never_a_picture(data: bytes) -> None:
    contents = parse(data)
    assert contents.index is not None
    for position in range(len(contents.index)):
        index = bytearray(contents.index)
        index[position] ^= 1
        with pytest.raises(DecodeError):
            decode_stack(pack(replace(contents, index=bytes(index))), models=(TINY,))
    payload = bytearray(contents.payload)
    payload[len(payload) // 2] ^= 1
    with pytest.raises((DecodeError, FormatError)):
        decode_stack(pack(replace(contents, payload=bytes(payload))), models=(TINY,))


# --- the commands ---


def cli(*arguments: object, code: int = 0) -> Result:
    result = CliRunner(env={"AECODEC_MODELS": str(TINY.parent)}).invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.parametrize("name", ["digits.npy", "digits.npz", "digits-images-idx3-ubyte.gz", "digits.idx"])
def test_arrays_become_stacks_and_arrays_again(tmp_path: Path, pictures: Pixels, name: str) -> None:
    grey = pictures[:20, :, :, 1]
    write_array(tmp_path / name, grey)
    cli("compress", "--model", "tiny", tmp_path / name, "-q", 80, "-o", tmp_path / "stack.aec")
    cli("decompress", tmp_path / "stack.aec")
    expected = decode_stack(encode_stack(grey, 80, TINY), models=(TINY,))
    assert np.abs(np.load(tmp_path / "stack.restored.npy").astype(int) - expected).max() <= 1
    cli("decompress", tmp_path / "stack.aec", "-o", tmp_path / f"again-{name}")
    assert np.array_equal(read_array(tmp_path / f"again-{name}"), np.load(tmp_path / "stack.restored.npy"))
    assert "pictures: 20" in cli("info", tmp_path / "stack.aec").stdout
    assert "ok" in cli("test", tmp_path / "stack.aec").stdout


def test_a_stack_becomes_a_folder_or_one_picture(tmp_path: Path, pictures: Pixels) -> None:
    (tmp_path / "stack.aec").write_bytes(encode_stack(pictures[:12], 80, TINY))
    whole = decode_stack((tmp_path / "stack.aec").read_bytes(), models=(TINY,)).astype(int)
    cli("decompress", tmp_path / "stack.aec", "--format", "png")
    assert sorted(path.name for path in (tmp_path / "stack.restored").iterdir()) == [f"{i:02d}.png" for i in range(12)]
    cli("decompress", tmp_path / "stack.aec", "--picture", 7)
    for path in (tmp_path / "stack.restored" / "07.png", tmp_path / "stack.restored.png"):
        with Image.open(path) as image:
            assert np.abs(np.asarray(image) - whole[7]).max() <= 1
    assert "exists already" in cli("decompress", tmp_path / "stack.aec", "--format", "png", code=1).stderr
    assert "no picture 12" in cli("decompress", "-f", tmp_path / "stack.aec", "--picture", 12, code=1).stderr
    assert len(list(tmp_path.iterdir())) == 3


def test_stacks_and_pictures_in_one_call(tmp_path: Path, tiny: Codec, pictures: Pixels) -> None:
    (tmp_path / "stack.aec").write_bytes(encode_stack(pictures[:3], 80, tiny))
    (tmp_path / "photo.aec").write_bytes(tiny.encode(pictures[0]))
    cli("decompress", "-r", tmp_path, "-o", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo.png", "stack.npy"]
    for options in (("--picture", 0), ("-o", tmp_path / "x.npy")):
        assert "not a stack" in cli("decompress", "-f", tmp_path / "photo.aec", *options, code=1).stderr


def test_what_stacks_cannot_do_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((3, 8, 8)))
    np.save(tmp_path / "bytes.npy", np.zeros((300, 40, 40), np.uint8))
    said = cli("compress", "--model", "tiny", tmp_path / "floats.npy", code=1).stderr
    assert said.startswith(f"aecodec: {tmp_path / 'floats.npy'}: ")
    assert "uint8" in said
    assert "single ones" in cli("compress", "--model", "tiny", "--bpp", 1, tmp_path / "bytes.npy", code=1).stderr
    too_large = cli("compress", "--model", "tiny", "--max-pixels", 1000, tmp_path / "bytes.npy", code=1)
    assert "300 pictures" in too_large.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes.npy", "floats.npy"]
