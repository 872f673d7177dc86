"""What a model cannot show is stored as it is: no cell comes out grossly wrong, and quality is monotone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from aecodec.codec import Codec, Pixels
from aecodec.errors import AecError, FormatError
from aecodec.format.container import CELL, Coding, pack, parse, parse_header, varint
from aecodec.frame import patches_of
from aecodec.patches import NOISE, bound, is_noise, pack_patches, parse_patches, suspects, without
from aecodec.stack import decode_stack, encode_stack
from tests.conftest import TINY
from tests.patterns import PATTERNS, PLACES, with_pattern

QUALITIES = (5, 20, 40, 60, 80, 100)


def cell_errors(one: Pixels, other: Pixels) -> npt.NDArray[np.float64]:
    squared = np.square(one.astype(np.float64) - other).mean(-1)
    height, width = squared.shape
    means: npt.NDArray[np.float64] = squared.reshape(height // CELL, CELL, width // CELL, CELL).mean((1, 3))
    return means


def _in_flat_cells(pixels: Pixels) -> Pixels:
    height, width, _ = pixels.shape
    means = pixels.reshape(height // CELL, CELL, width // CELL, CELL, 3).mean((1, 3))
    flat: Pixels = np.rint(means).astype(np.uint8).repeat(CELL, 0).repeat(CELL, 1)
    return flat


def _noisy(pixels: Pixels, restored: Pixels) -> npt.NDArray[np.bool_]:
    """Cells (rows, columns) that may be wronger."""
    squared = np.square(pixels.astype(np.float32) - restored).mean(-1)
    result = np.zeros([side // CELL for side in squared.shape], np.bool_)
    for row, column in np.ndindex(*result.shape):
        cell = np.s_[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)]
        result[row, column] = is_noise(pixels[cell], squared[cell])
    return result


def check(photo: Codec, pattern: str, phase: int, place: str, qualities: tuple[int, ...]) -> None:
    """No cell is much worse than the worst of photographs, at any quality, and none gets worse with more of it."""
    pixels = with_pattern(pattern, phase, place)
    versions = [photo.decode(photo.encode(pixels, quality)) for quality in qualities]
    errors = [cell_errors(pixels, restored) for restored in versions]
    for quality, error, restored in zip(qualities, errors, versions, strict=True):
        # What is lost by rounding comes on top of what the networks lose, and of which the bound is. At low qualities
        # that may be all that a cell has but for its mean colour.
        limit = 1.6 * bound(100 * quality) * np.where(_noisy(pixels, restored), NOISE, 1)
        if quality < 40:
            limit = np.maximum(limit, 1.1 * cell_errors(pixels, _in_flat_cells(pixels)))
        assert (error < limit).all(), (quality, (error / limit).max())
    for worse, better in pairwise(errors):
        assert better.mean() < 1.05 * worse.mean() + 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_grossly_wrong(photo: Codec, pattern: str) -> None:
    place = [*PLACES][[*PATTERNS].index(pattern) % len(PLACES)]
    check(photo, pattern, 5, place, (20, 60, 100))


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("phase", range(16))
@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_grossly_wrong_anywhere(photo: Codec, pattern: str, phase: int, place: str) -> None:
    check(photo, pattern, phase, place, QUALITIES)


def test_photographs_have_no_patches(photo: Codec, picture: Pixels) -> None:
    for quality in (20, 60, 100):
        assert parse(photo.encode(picture, quality)).patches is None


def test_what_is_stored_is_exact_and_leaves_its_surroundings_alone(photo: Codec) -> None:
    pixels = with_pattern("coloured checks", 0, "middle")
    inner, around = np.s_[80:112, 80:112], np.ones(pixels.shape[:2], np.bool_)
    around[64:128, 64:128] = False
    data = photo.encode(pixels, 60)
    assert parse_header(data).coding == Coding.LATENTS
    restored = photo.decode(data)
    assert np.array_equal(restored[inner], pixels[inner])
    plain = photo.decode(photo.encode(with_pattern("green", 0, "middle"), 60))
    errors = [np.square(restored[around] - pixels[around].astype(float)).mean() for restored in (restored, plain)]
    assert errors[0] < 1.1 * errors[1]


def test_noise_is_not_stored(photo: Codec, picture: Pixels) -> None:
    """It would take several times the bytes, for what nobody looks for."""
    noise = np.random.default_rng(0).normal(0, 30, picture.shape)
    noisy = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    assert parse(photo.encode(noisy, 90)).patches is None


def test_a_model_by_itself_has_none(photo: Codec) -> None:
    pixels = with_pattern("checks", 0, "middle")
    assert parse(photo.encode(pixels, 60, fallback=False)).patches is None


def test_sizes_are_met_with_patches(photo: Codec) -> None:
    pixels = with_pattern("coloured writing", 3, "corner")
    data = photo.encode(pixels, target_size=6000)
    assert 5500 < len(data) <= 6000
    assert parse(data).patches is not None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (5, 3), (130, 1100)])
def test_cells_come_back(size: tuple[int, int], channels: int) -> None:
    random = np.random.default_rng(0)
    shape = (2, *size) if channels == 1 else (2, *size, channels)
    pixels = random.integers(0, 256, shape, np.uint8)
    rows, columns = -(-size[0] // CELL), -(-size[1] // CELL)
    for share in (0.02, 0.5, 1.0):
        cells = random.random((2, rows, columns)) < share
        cells[0, 0, 0] = True
        patches = parse_patches(pack_patches(pixels, cells), cells.size, channels)
        blank = np.zeros_like(pixels)
        patches.put(blank[:1])
        patches.put(blank[1:], 1)
        mask = cells.repeat(CELL, 1).repeat(CELL, 2)[:, : size[0], : size[1]]
        assert np.array_equal(blank[mask], pixels[mask])
        assert not blank[~mask].any()


def test_wrong_sections_are_refused() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3), np.uint8)
    cells = np.zeros((1, 2, 4), np.bool_)
    cells[0, 0, 1] = cells[0, 1, 2] = True
    section = pack_patches(pixels, cells)
    assert section[:5] == bytes([2, 1, 1, 4, 1])
    stored = section[5:]
    runs = [[], [(9, 1)], [(0, 9)], [(0, 0), (1, 2)], [(0, 1), (0, 1)], [(2**31 - 1, 2**31 - 1)], [(0, 1)], [(0, 3)]]
    for wrong in runs:
        head = varint(len(wrong)) + b"".join(varint(a) + varint(b) for a, b in wrong)
        with pytest.raises(FormatError):
            parse_patches(head + stored, 8, 3)
    for length in range(0, len(section), 7):
        with pytest.raises(FormatError):
            parse_patches(section[:length], 8, 3)


def test_patches_are_no_part_of_lossless_files(tiny: Codec, picture: Pixels) -> None:
    contents = parse(tiny.encode(picture, lossless=True))
    with pytest.raises(ValueError, match="PATCHES"):
        pack(type(contents)(contents.header, contents.payload, patches=b"x"))


def test_stacks_have_patches_too(photo: Codec, tiny: Codec) -> None:
    quiet, loud = with_pattern("green", 0, "middle"), with_pattern("coloured checks", 0, "middle")
    pictures = np.stack([quiet, loud, quiet, loud, quiet])
    for codec in (photo, tiny):
        data = encode_stack(pictures, 70, codec)
        numbers = patches_of(parse(data)).numbers // (12 * 12)
        assert {1, 3} <= {*numbers.tolist()}
        restored = decode_stack(data, models=[TINY])
        assert np.array_equal(restored[[1, 3], 80:112, 80:112], pictures[[1, 3], 80:112, 80:112])
        assert np.array_equal(decode_stack(data, 3, models=[TINY]), restored[3])


def test_denoising_models_keep_their_word(tiny: Codec) -> None:
    """What they leave out is meant to be left out."""
    from dataclasses import replace

    card = replace(tiny.card, training=replace(tiny.card.training, denoising=True))
    noise = with_pattern("grey noise", 0, "middle")
    assert parse(tiny.encode(noise, 80)).patches is not None
    assert parse(Codec(replace(tiny.weights, card=card)).encode(noise, 80)).patches is None


def test_cells_at_the_edge_count_as_large_as_they_are() -> None:
    pixels = np.full((1, 33, 40), 90, np.uint8)
    pixels[0, 32, ::2] = 250  # a row of its own
    pixels[0, :32, 32:] = 100
    assert suspects(pixels)[0].tolist() == [[False] * 3, [False] * 3, [True] * 3]


def test_what_takes_the_place_of_cells_is_smooth(photo: Codec) -> None:
    pixels = with_pattern("checks", 0, "middle")[None]
    cells = np.zeros((1, 12, 12), np.bool_)
    cells[0, 4:8, 4:8] = True
    filled = without(pixels, cells)
    assert not suspects(filled).any()
    seen = ~cells[0].repeat(CELL, 0).repeat(CELL, 1)
    assert np.array_equal(filled[0][seen], pixels[0][seen])


def test_hostile_patches_take_no_memory(tiny: Codec, picture: Pixels) -> None:
    contents = parse(tiny.encode(picture, 50))
    head = varint(1) + varint(0) + varint(2**31 - 1)
    for section in (head, head + bytes(40), varint(2**31 - 1) + varint(1) * 10):
        data = pack(type(contents)(contents.header, contents.payload, contents.escapes, patches=section))
        with pytest.raises(AecError):
            tiny.decode(data)
