"""Cells of a picture that a model cannot show: the encoder finds them, and the file has them without loss.

Networks restore what is like the pictures that they were trained on. Of single pixels in a chequered pattern, of
coloured writing or of colours at random they make something else at any quality, and in silence. So the encoder looks
at what the synthesis makes of latents that are not rounded, in cells of 16 x 16 pixels; where that alone is more wrong
than the worst of photographs at the same quality, the cell is stored as it is. The measure does not depend on the
quality and the bound falls with it: a cell that is stored at one quality is stored at every higher one, too.

Noise is no pattern: smoothing it takes nothing away that anybody looks for, and without loss it would take several
times the bytes of the whole file. Cells whose wrongest pixels mostly have a colour of their own may be NOISE times as
wrong.

Showing costs as much as analysing. So only cells with differences between neighbouring pixels as photographs hardly
ever have them (one cell in 200) are looked at: in 5,900 cells of patterns that are restored with a squared error above
the bound at quality 100 there was none without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aecodec.errors import FormatError
from aecodec.format.container import CELL, Reader, varint
from aecodec.pictures.hidden import fill_smoothly
from aecodec.pictures.lossless import decode_lossless, encode_lossless
from aecodec.threads import spread

Pixels = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.bool_]  # (pictures, rows, columns)
Floats = npt.NDArray[np.float32]
Errors = Floats  # mean squared errors of cells, likewise
Show = Callable[[int, slice, slice], Pixels]  # rows and columns of a picture, as they would be restored

SUSPECT = 7500  # mean of the squared differences to the neighbours below and beside, see :func:`suspects`
BOUND = 250.0  # mean squared error of a cell that is too much at quality 100: 24.2 dB
HALVED = 25.0  # qualities, over which that halves; worst cells of photographs fall in the same way
NOISE = 8.0
BAND = 8  # cells; sides of what is shown in one piece
ACROSS = 64  # cells in a row of the stored picture


def bound(quality_field: int) -> float:
    """Mean squared error of a cell that is too much at a quality in hundredths."""
    return float(BOUND * 2 ** ((100 - quality_field / 100) / HALVED))


def suspects(pixels: Pixels) -> Cells:
    """Cells of pictures (N, H, W) or (N, H, W, 3) that a model may be unable to show."""
    height, width = pixels.shape[1:3]
    found = np.zeros((len(pixels), -(-height // CELL), -(-width // CELL)), np.bool_)
    count = np.minimum(CELL, height - CELL * np.arange(found.shape[1]))[:, None]
    count = count * np.minimum(CELL, width - CELL * np.arange(found.shape[2]))

    def work(job: tuple[int, int]) -> None:
        picture, row = job
        rows = slice(CELL * row, min(height, CELL * (row + 1)) + 1)  # and one below, for the differences to it
        sums = _differences(pixels[picture, rows].astype(np.float32), min(CELL, height - CELL * row))
        found[picture, row] = np.add.reduceat(sums, np.arange(0, width, CELL)) > SUSPECT * count[row]

    spread(work, [(picture, row) for picture in range(len(pixels)) for row in range(found.shape[1])])
    return found


def _differences(part: Floats, rows: int) -> npt.NDArray[np.float64]:
    """Squared differences to the neighbours, of brightness and of colour, summed over ``rows`` for each column.

    All numbers are integers that their types hold, so that no machine finds others.
    """
    planes = [part] if part.ndim == 2 else [part[..., 1], part[..., 0] - part[..., 1], part[..., 2] - part[..., 1]]
    sums = np.zeros(part.shape[1], np.float64)
    for plane in planes:
        down, beside = plane[1:] - plane[:-1], plane[:rows, 1:] - plane[:rows, :-1]
        sums += np.einsum("ij,ij->j", down[:rows], down[:rows])
        sums[:-1] += np.einsum("ij,ij->j", beside, beside)
    return sums


def errors(pixels: Pixels, cells: Cells, show: Show) -> Errors:
    """Mean squared errors of ``cells``, nothing of others, by what ``show`` makes of blocks of cells.

    Those of cells of noise are a part of it, as they may be larger.
    """
    height, width = pixels.shape[1:3]
    found = np.zeros(cells.shape, np.float32)

    def work(job: tuple[int, int, int]) -> None:
        picture, top, left = job
        block = cells[picture, top : top + BAND, left : left + BAND]
        if not block.any():
            return
        rows = slice(CELL * top, min(height, CELL * (top + BAND)))
        columns = slice(CELL * left, min(width, CELL * (left + BAND)))
        squared = np.square(pixels[picture, rows, columns].astype(np.float32) - show(picture, rows, columns))
        if squared.ndim == 3:
            squared = squared.mean(-1)
        for row, column in np.argwhere(block):
            cell = np.s_[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)]
            share = 1 / NOISE if is_noise(pixels[picture, rows, columns][cell], squared[cell]) else 1.0
            found[picture, top + row, left + column] = share * squared[cell].mean()

    tops, lefts = (range(0, size, BAND) for size in cells.shape[1:])
    spread(work, [(picture, top, left) for picture in range(len(cells)) for top in tops for left in lefts])
    return found


def is_noise(cell: Pixels, squared: Floats) -> bool:
    """Whether of the pixels of a cell (H, W) or (H, W, 3) most have a colour that none of the others has.

    Only those count that are the wrongest, and half of the error together; ``squared`` (H, W) are their errors.
    """
    order = np.argsort(-squared, axis=None, kind="stable")
    sums = squared.ravel()[order].cumsum(dtype=np.float64)
    wrongest = order[: int(np.searchsorted(sums, sums[-1] / 2)) + 1]
    colours = cell.reshape(squared.size, -1)[wrongest]
    return len(np.unique(colours, axis=0)) > len(colours) // 2


def without(pixels: Pixels, cells: Cells) -> Pixels:
    """Pictures whose ``cells`` continue what is around them, which costs few bytes, and disturbs nothing."""
    result = pixels.copy()
    for picture in np.flatnonzero(cells.any((1, 2))):
        seen = ~cells[picture].repeat(CELL, 0).repeat(CELL, 1)[: pixels.shape[1], : pixels.shape[2]]
        result[picture] = fill_smoothly(pixels[picture], seen)
    return result


def pack_patches(pixels: Pixels, cells: Cells) -> bytes:
    """The section PATCHES: which cells of pictures (N, H, W) or (N, H, W, 3) it has, and their pixels."""
    numbers = np.flatnonzero(cells)
    if not len(numbers):
        return b""
    starts = np.flatnonzero(np.diff(numbers, prepend=-2) > 1)  # of runs
    lengths = np.diff(starts, append=len(numbers))
    section, end = varint(len(starts)), 0
    for start, length in zip(numbers[starts].tolist(), lengths.tolist(), strict=True):
        section += varint(start - end) + varint(length)
        end = start + length
    below, beside = -pixels.shape[1] % CELL, -pixels.shape[2] % CELL
    padded = np.pad(pixels, ((0, 0), (0, below), (0, beside), *((0, 0) for _ in pixels.shape[3:])), "edge")
    tiles = _apart(padded)[cells]
    width, height = _stored_size(len(tiles))
    sheet = np.zeros((width * height, *tiles.shape[1:]), np.uint8)
    sheet[: len(tiles)] = tiles
    return section + encode_lossless(_together(sheet[None].reshape(1, height, width, *tiles.shape[1:]))[0])


@dataclass(frozen=True)
class Patches:
    """Cells as they are in a file: their numbers, which ascend, and their pixels (n, 16, 16[, 3])."""

    numbers: npt.NDArray[np.int64]
    tiles: Pixels

    @staticmethod
    def none() -> Patches:
        """Of a file that has none."""
        return Patches(np.zeros(0, np.int64), np.zeros((0, CELL, CELL), np.uint8))

    def put(self, pixels: Pixels, first: int = 0) -> None:
        """Put them into pictures (N, H, W[, 3]) of a file, of which the first one here has the number ``first``."""
        rows, columns = (-(-side // CELL) for side in pixels.shape[1:3])
        start, end = np.searchsorted(self.numbers, np.array([first, first + len(pixels)]) * (rows * columns))
        for number, tile in zip(self.numbers[start:end].tolist(), self.tiles[start:end], strict=True):
            picture, place = divmod(number, rows * columns)
            row, column = (CELL * index for index in divmod(place, columns))
            target = pixels[picture - first, row : row + CELL, column : column + CELL]
            target[:] = tile[: target.shape[0], : target.shape[1]]


def parse_patches(section: bytes, cells: int, channels: int) -> Patches:
    """The inverse of :func:`pack_patches`, for a file of so many cells. Raises FormatError."""
    reader = Reader(section)
    runs, end = list[range](), 0
    for _ in range(reader.varint("the number of runs of patches")):
        start = end + reader.varint("the cells before a patch")
        length = reader.varint("the length of a run of patches")
        end = start + length
        if not length or end > cells or (runs and start == runs[-1].stop):
            raise FormatError(f"patches of the cells {start} .. {end - 1}, of {cells}")
        runs.append(range(start, end))
    numbers = np.concatenate([np.arange(run.start, run.stop) for run in runs] or [np.zeros(0, np.int64)])
    if not runs:
        raise FormatError("no patches in a section of them")
    width, height = _stored_size(len(numbers))
    sheet = decode_lossless(section[reader.position :], CELL * width, CELL * height, channels)
    tiles = _apart(sheet[None]).reshape(-1, CELL, CELL, *sheet.shape[2:])[: len(numbers)]
    return Patches(numbers, tiles)


def _stored_size(count: int) -> tuple[int, int]:
    """Columns and rows of the cells of the stored picture."""
    return min(count, ACROSS), -(-count // ACROSS)


def _apart(pixels: Pixels) -> Pixels:
    """Whole cells (N, rows, columns, 16, 16[, 3]) of pictures."""
    count, height, width = pixels.shape[:3]
    shape = count, height // CELL, CELL, width // CELL, CELL, *pixels.shape[3:]
    return np.ascontiguousarray(pixels.reshape(shape).swapaxes(2, 3))


def _together(cells: Pixels) -> Pixels:
    """The inverse of :func:`_apart`."""
    count, rows, columns, *_ = cells.shape
    return cells.swapaxes(2, 3).reshape(count, rows * CELL, columns * CELL, *cells.shape[5:])
