"""The codec: any picture in, the same picture back within what the quality allows, and never a wrong one."""

from __future__ import annotations

import copy
import io
import pickle
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

import aecodec
from aecodec.codec import Codec, decode_picture, load_codec
from aecodec.engine.symbols import SCALED_BITS
from aecodec.errors import AecError, DecodeError, FormatError, ImageError, LimitError, ModelError
from aecodec.evaluation.metrics import psnr
from aecodec.format.container import Coding, pack, parse, parse_header, section_sizes
from aecodec.networks.fixed_point import PRIOR_BITS
from aecodec.pictures.images import Picture
from aecodec.pictures.lossless import encode_lossless

Pixels = npt.NDArray[np.uint8]

SIDES = (1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 130)


# Pictures there and back


@pytest.mark.parametrize("width", SIDES)
def test_sizes(tiny: Codec, picture: Pixels, width: int) -> None:
    for height in SIDES:
        pixels = picture[:height, :width]
        for part in (pixels, pixels[:, :, 1]):
            restored = tiny.decode(tiny.encode(part, 50))
            assert restored.shape == part.shape
            assert restored.dtype == np.uint8


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (40, 200), (72, 65), (150, 210), (192, 256)])
def test_quality_rises_at_all_sizes(photo: Codec, size: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(skimage.data.astronaut()[20 : 20 + size[0], 250 : 250 + size[1]])
    scores = [psnr(pixels, photo.decode(photo.encode(pixels, q, fallback=False))) for q in (20, 50, 75, 95)]
    if pixels.size > 3:  # how near a single pixel comes is chance
        assert scores == sorted(scores)
    assert scores[-1] > 34


def test_hyper_latents_of_bands_are_those_of_the_whole(photo: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    transform = photo.transform
    y = np.random.default_rng(0).integers(-1000, 1000, (1, 150, 9, 256), np.int16)
    bands = transform.hyper_analyse(y, transform.gains.at(6000))
    monkeypatch.setattr("aecodec.transform.spans", lambda size, most, least: [slice(0, size)])
    assert np.array_equal(transform.hyper_analyse(y, transform.gains.at(6000)), bands)


@pytest.mark.parametrize("size", [(33, 33), (64, 64), (200, 120)])
@pytest.mark.parametrize("colour", [(255, 0, 255), (0, 255, 0), (255, 255, 0), (0, 0, 0), (255, 255, 255)])
def test_strong_colours_are_kept(photo: Codec, size: tuple[int, int], colour: tuple[int, ...]) -> None:
    pixels = np.full((*size, 3), colour, np.uint8)
    bound = 25 if colour == (0, 255, 0) else 30  # pure green is farthest from photographs
    for quality in (30, 60, 100):
        assert psnr(pixels, photo.decode(photo.encode(pixels, quality, fallback=False))) > bound


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("top", [64, 71])
@pytest.mark.parametrize("pattern", ["stripes", "checks", "saturated"])
def test_what_training_has_not_seen_leaves_its_surroundings_alone(
    photo: Codec, pattern: str, top: int, phase: int
) -> None:
    """However wrong predictions are there: what is restored is what the synthesis makes of the latents themselves."""
    y, x = np.mgrid[:160, :192]
    waves = [127 + 60 * np.sin(x / 17 + y / 29), 127 + 50 * np.cos(x / 23), 127 + 50 * np.sin(y / 13)]
    noise = np.random.default_rng(0).normal(0, 3, (160, 192, 3))
    pixels = np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
    patch, around = np.s_[top : top + 32, 80:112], np.zeros(x.shape, bool)
    around[top - 24 : top + 56, 56:136] = True
    around[patch] = False
    kinds = {"stripes": (x + phase) % 2, "checks": (x + y + phase) % 2, "saturated": (x // 8 + y // 8 + phase) % 2}
    pixels[patch] = 255 * kinds[pattern][patch][..., None]
    latents = photo.transform.analyse(pixels[None])
    for quality in (40, 70, 100):
        gain = photo.transform.gains.at(100 * quality)
        rounded = (gain.apply(latents) + 2**9 >> SCALED_BITS) << PRIOR_BITS
        possible = photo.transform.synthesise(gain.undo(rounded), *x.shape)[0]
        restored = photo.decode(photo.encode(pixels, quality, fallback=False))
        one, other = (psnr(pixels[around][None], result[around][None]) for result in (restored, possible))
        assert one > other - 1.5, quality  # of which a decibel is the dead zone's, at the lowest quality


@pytest.mark.parametrize("shape", [(5, 4000), (8, 4000, 3), (1, 20000), (20000, 1, 3)])
def test_long_thin_pictures_are_never_larger_than_lossless(tiny: Codec, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert tiny.decode(tiny.encode(pixels, 50)).shape == shape
    flat = np.full(shape, 90, np.uint8)
    data = tiny.encode(flat, 50)
    assert len(data) <= len(encode_lossless(flat)) + 40
    assert np.array_equal(tiny.decode(data), flat)


def test_the_shipped_model_restores_a_photograph(photo: Codec, picture: Pixels) -> None:
    data = photo.encode(picture, 60)
    assert parse_header(data).coding == Coding.LATENTS
    assert psnr(picture, photo.decode(data)) > 30


def test_a_jpeg_of_the_same_size_is_worse(photo: Codec) -> None:
    pixels = skimage.data.astronaut()
    data = photo.encode(pixels, 45)
    sizes = {}
    for quality in range(1, 96):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality, optimize=True)
        sizes[quality] = stream
    fitting = max((s for s in sizes.values() if len(s.getvalue()) <= len(data)), key=lambda s: len(s.getvalue()))
    assert psnr(pixels, photo.decode(data)) > psnr(pixels, np.asarray(Image.open(fitting))) + 1


def test_more_quality_is_more_bytes_and_less_distortion(photo: Codec, picture: Pixels) -> None:
    files = [photo.encode(picture, q) for q in (1, 20, 40, 60, 80, 100)]
    sizes = [len(data) for data in files]
    errors = [psnr(picture, photo.decode(data)) for data in files]
    assert sizes == sorted(sizes)
    assert errors == sorted(errors)


def test_encoding_is_repeatable(photo: Codec, picture: Pixels) -> None:
    assert photo.encode(picture, 33.3) == photo.encode(picture.copy(), 33.3)


def test_grey_stays_grey(photo: Codec) -> None:
    grey = skimage.data.camera()[100:260, 150:330]
    data = photo.encode(grey, 60)
    assert parse_header(data).channels == 1
    assert psnr(grey, photo.decode(data)) > 29
    as_colour = photo.decode(photo.encode(np.repeat(grey[:, :, None], 3, axis=2), 60)).astype(int)
    assert np.abs(as_colour.mean((0, 1)) - as_colour.mean()).max() < 1  # no cast


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_comes_back_exactly(tiny: Codec, picture: Pixels, channels: int) -> None:
    array = picture[:100, :120, :1].repeat(channels, axis=2)
    array[:, :, -1] = np.random.default_rng(0).integers(0, 256, (100, 120))
    restored = tiny.decode(tiny.encode(array, 40))
    assert restored.shape == array.shape
    assert np.array_equal(restored[:, :, -1], array[:, :, -1])


def test_metadata_come_back_exactly(tiny: Codec, picture: Pixels) -> None:
    source = Picture(picture, icc=bytes(range(256)), exif=b"Exif\0\0II", xmp=b"<x/>")
    restored = tiny.decode_picture(tiny.encode_picture(source, 40))
    assert (restored.icc, restored.exif, restored.xmp) == (source.icc, source.exif, source.xmp)


def test_windows_do_not_show(photo: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture larger than the windows of the transforms is the one that a single window would make."""
    pixels = np.tile(skimage.data.astronaut(), (1, 3, 1))[:272]
    latents, restored = photo.transform.analyse(pixels[None]), photo.decode(photo.encode(pixels, 50))
    monkeypatch.setattr("aecodec.transform.HIGHEST", 9)
    monkeypatch.setattr("aecodec.transform.WIDEST", 17)
    assert np.array_equal(photo.transform.analyse(pixels[None]), latents)
    assert np.array_equal(photo.decode(photo.encode(pixels, 50)), restored)


def test_threads_share_a_codec(tiny: Codec, picture: Pixels) -> None:
    parts = [picture[i : i + 64, : 64 + 7 * i] for i in range(20)]
    expected = [tiny.encode(part, 50) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda part: tiny.encode(part, 50), parts)) == expected
        restored = list(pool.map(tiny.decode, expected))
    assert all(np.array_equal(tiny.decode(data), pixels) for data, pixels in zip(expected, restored, strict=True))


def test_module_functions_do_what_the_codec_does(photo: Codec, picture: Pixels) -> None:
    data = aecodec.encode(picture, quality=30)
    assert data == photo.encode(picture, 30)
    assert np.array_equal(aecodec.decode(data), photo.decode(data))


@pytest.mark.parametrize("quality", [0, 0.99, 100.01, float("nan")])
def test_qualities_out_of_range(tiny: Codec, picture: Pixels, quality: float) -> None:
    with pytest.raises(ValueError, match="quality"):
        tiny.encode(picture, quality)


def test_arrays_that_are_no_pictures(tiny: Codec) -> None:
    with pytest.raises(ImageError, match="float"):
        tiny.encode(np.zeros((8, 8, 3)))


# Size


@pytest.mark.parametrize("share", [0.4, 0.7, 1.3])
def test_target_size(photo_psnr: Codec, picture: Pixels, share: float) -> None:
    target = int(share * len(photo_psnr.encode(picture, 50)))
    data = photo_psnr.encode_picture(Picture(picture), target_size=target, effort=1)
    assert 0.97 * target < len(data) <= target
    plain = photo_psnr.encode_picture(Picture(picture), target_size=target, effort=0)
    assert psnr(picture, photo_psnr.decode(data)) > psnr(picture, photo_psnr.decode(plain)) > 25


def test_target_size_runs_the_analysis_once(photo: Codec, picture: Pixels) -> None:
    with patch.object(photo.transform, "analyse", wraps=photo.transform.analyse) as analyse:
        photo.encode_picture(Picture(picture), target_size=3000)
    analyse.assert_called_once()


def test_a_size_that_cannot_be_reached(photo: Codec, picture: Pixels) -> None:
    with pytest.raises(LimitError, match="cannot reach 60 bytes"):
        photo.encode_picture(Picture(picture), target_size=60)


def test_overhead_of_a_photograph(photo: Codec, picture: Pixels) -> None:
    data = photo.encode(picture, 50)
    assert len(data) - sum(section_sizes(data).values()) <= 45


def hard_pictures() -> dict[str, Pixels]:
    rng = np.random.default_rng(0)
    return {
        "noise": rng.integers(0, 256, (64, 80, 3), np.uint8),
        "grey noise": rng.integers(0, 256, (150, 160), np.uint8),
        "text": np.ascontiguousarray(skimage.data.page()),
        "black": np.zeros((200, 300, 3), np.uint8),
        "checkers": (np.indices((200, 200)).sum(0) % 2 * 255).astype(np.uint8),
        "stripes": np.tile(np.array([[[255, 0, 0], [0, 255, 255]]], np.uint8), (140, 140, 1)),
        "dot": np.array([[[1, 2, 3]]], np.uint8),
        "line": rng.integers(0, 256, (1, 500), np.uint8),
    }


@pytest.mark.parametrize("name", hard_pictures())
def test_never_larger_than_lossless(photo: Codec, name: str) -> None:
    pixels = hard_pictures()[name]
    lossless = len(encode_lossless(pixels))
    for quality in (1, 50, 100):
        data = photo.encode(pixels, quality)
        assert len(data) <= lossless + 40
        if parse_header(data).coding == Coding.LOSSLESS:
            assert np.array_equal(photo.decode(data), pixels)


def test_without_the_fallback_a_file_is_what_the_model_makes(photo: Codec) -> None:
    pixels = hard_pictures()["dot"]
    assert parse_header(photo.encode(pixels, 100)).coding == Coding.LOSSLESS
    data = photo.encode(pixels, 100, fallback=False)
    assert parse_header(data).coding == Coding.LATENTS
    assert psnr(photo.decode(data), pixels) > 20


# Faults


@pytest.fixture(scope="module")
def small_file(tiny: Codec, picture: Pixels) -> bytes:
    """A file of a few hundred bytes, with every kind of section but escapes."""
    alpha = np.linspace(0, 255, 48 * 48).reshape(48, 48).astype(np.uint8)
    source = Picture(picture[:48, :48], alpha, icc=b"a profile", xmp=b"<xmp/>")
    data = tiny.encode_picture(source, 90)
    assert parse_header(data).coding == Coding.LATENTS
    assert 200 < len(data) < 2000
    return data


def test_every_truncation_is_an_error(tiny: Codec, small_file: bytes) -> None:
    for length in range(len(small_file)):
        with pytest.raises(AecError):
            tiny.decode(small_file[:length])


def test_every_flipped_bit_is_an_error(tiny: Codec, small_file: bytes) -> None:
    for bit in range(8 * len(small_file)):
        damaged = bytearray(small_file)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AecError):
            tiny.decode(bytes(damaged))


def test_damage_below_a_right_checksum_is_never_another_picture(tiny: Codec, small_file: bytes) -> None:
    """Also where the container's checksum was made to fit, the checksum of the symbols stands."""
    contents, intact, harmless = parse(small_file), tiny.decode(small_file), 0
    for bit in range(0, 8 * len(contents.payload), 5):
        damaged = bytearray(contents.payload)
        damaged[bit // 8] ^= 1 << bit % 8
        with suppress(DecodeError, FormatError):  # or a bit beyond what the last symbol needs
            assert np.array_equal(tiny.decode(pack(replace(contents, payload=bytes(damaged)))), intact)
            harmless += 1
    assert harmless < 8


def test_wrong_symbols_are_an_error(tiny: Codec, small_file: bytes) -> None:
    contents = parse(small_file)
    header = replace(contents.header, symbols_crc=contents.header.symbols_crc ^ 1)
    with pytest.raises(DecodeError, match="symbols"):
        tiny.decode(pack(replace(contents, header=header)))


def test_random_bytes_are_no_picture(tiny: Codec, small_file: bytes) -> None:
    rng = random.Random(0)
    for _ in range(300):
        with pytest.raises(AecError):
            tiny.decode(rng.randbytes(rng.randrange(400)))
        with suppress(AecError):  # with a header that fits there may be one; anything else is an error of ours
            tiny.decode(small_file[:20] + rng.randbytes(200))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_other_formats(tiny: Codec, picture: Pixels, format: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format)
    with pytest.raises(FormatError):
        tiny.decode(stream.getvalue())


def test_a_header_of_a_giant_allocates_nothing(tiny: Codec, small_file: bytes) -> None:
    header = replace(parse(small_file).header, width=10**9, height=10**9)
    giant = pack(replace(parse(small_file), header=header))
    with pytest.raises(LimitError, match="1000000000 x 1000000000"):
        tiny.decode(giant)
    with pytest.raises(LimitError):
        tiny.decode(small_file, max_pixels=100)


def test_a_file_of_another_model(photo: Codec, small_file: bytes) -> None:
    with pytest.raises(ModelError, match="made with model"):
        photo.decode(small_file)


def test_a_file_whose_model_is_missing(small_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AECODEC_MODELS", raising=False)
    with pytest.raises(ModelError, match="looked in "):
        decode_picture(small_file)


def golden(name: str) -> Path:
    return Path(__file__).parent / "golden" / name


def test_a_model_that_is_given_or_in_the_environment(small_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    given: Sequence[Path] = [golden("tiny.safetensors")]
    expected = decode_picture(small_file, given).pixels
    monkeypatch.setenv("AECODEC_MODELS", str(golden("")))
    assert np.array_equal(decode_picture(small_file).pixels, expected)
    assert load_codec("tiny").card.name == "tiny"


# In other people's programs


def test_codecs_can_be_copied_and_pickled(tiny: Codec, picture: Pixels) -> None:
    data = tiny.encode(picture[:40, :40], 50, effort=0)
    there = pickle.loads(pickle.dumps(tiny))
    assert (there.id, there.card) == (tiny.id, tiny.card)
    for codec in (there, copy.copy(tiny), copy.deepcopy(tiny), copy.deepcopy([tiny])[0]):
        assert np.array_equal(codec.decode(data), tiny.decode(data))
        assert codec.encode(picture[:40, :40], 50, effort=0) == data
