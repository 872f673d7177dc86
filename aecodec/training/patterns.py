"""Pictures that no camera takes, drawn at random: what a codec meets all the same, and must not ruin.

Stripes and checks of one pixel, saturated squares, gradients, lines of glyph-like marks, windows of a screen, noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


def draw(random: np.random.Generator, size: int, colours: int) -> Pixels:
    """A pattern (size, size, colours); half of them with a part of another one in it."""
    picture = _one(random, size, colours)
    if random.random() < 0.5:
        top, left = (int(random.integers(0, size - 7)) for _ in range(2))
        height, width = (int(random.integers(8, size - start + 1)) for start in (top, left))
        part = np.s_[top : top + height, left : left + width]
        picture[part] = _one(random, size, colours)[part]
    return picture


def _one(random: np.random.Generator, size: int, colours: int) -> Pixels:
    pattern = PATTERNS[int(random.integers(len(PATTERNS)))]
    return np.clip(np.rint(pattern(random, size, colours)), 0, 255).astype(np.uint8)


def _colour(random: np.random.Generator, colours: int) -> Values:
    """Half of them saturated: every channel dark or full."""
    if random.random() < 0.5:
        return np.asarray(255 * random.integers(0, 2, colours), np.float64)
    return np.asarray(random.uniform(0, 255, colours), np.float64)


def _between(mask: npt.NDArray[np.bool_], random: np.random.Generator, colours: int) -> Values:
    """One colour where a mask (size, size) is set, and another one elsewhere."""
    return np.where(mask[..., None], _colour(random, colours), _colour(random, colours))


def _period(random: np.random.Generator) -> int:
    """Of stripes, in pixels; small ones above all."""
    return int(2 * random.integers(1, 5)) if random.random() < 0.7 else int(random.integers(2, 40))


def stripes(random: np.random.Generator, size: int, colours: int) -> Values:
    """Stripes that run across, upright or slanted."""
    y, x = np.mgrid[:size, :size]
    step = ((0, 1), (1, 0), (1, 1), (1, -1))[int(random.integers(4))]
    period = _period(random)
    return _between((step[0] * y + step[1] * x + int(random.integers(period))) % period < period // 2, random, colours)


def checks(random: np.random.Generator, size: int, colours: int) -> Values:
    """A chequered board of two colours."""
    side = _period(random) // 2
    y, x = np.mgrid[:size, :size] // side
    return _between((x + y) % 2 == 0, random, colours)


def squares(random: np.random.Generator, size: int, colours: int) -> Values:
    """Each of a colour of its own, as on a chart."""
    side = int(random.integers(8, max(9, size // 2)))
    count = -(-size // side)
    chart = np.array([_colour(random, colours) for _ in range(count * count)]).reshape(count, count, colours)
    row, column = np.mgrid[:size, :size] // side
    return np.asarray(chart[row, column], np.float64)


def gradient(random: np.random.Generator, size: int, colours: int) -> Values:
    """From one colour to another, in any direction."""
    y, x = np.mgrid[:size, :size] / size
    angle = random.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    along = (along - along.min()) / (along.max() - along.min())
    return np.asarray(_colour(random, colours) * (1 - along[..., None]) + _colour(random, colours) * along[..., None])


def writing(random: np.random.Generator, size: int, colours: int) -> Values:
    """Lines of marks, a pixel or two thick, of the size of letters."""
    height, thickness = int(random.integers(6, 20)), int(random.integers(1, 3))
    ink = np.zeros((size, size), np.bool_)
    for top in range(2, size - height, height + int(random.integers(3, 9))):
        left = 2
        while left < size - height:
            width = int(random.integers(2, max(4, height // 2 + 2)))
            for _ in range(int(random.integers(2, 4))):  # strokes
                row, column = top + int(random.integers(height)), left + int(random.integers(width))
                if random.random() < 0.5:
                    ink[row : row + thickness, left : left + width] = True
                else:
                    ink[top : top + height, column : column + thickness] = True
            left += width + int(random.integers(1, 4)) + (height // 2 if random.random() < 0.15 else 0)
    return _between(ink, random, colours)


def windows(random: np.random.Generator, size: int, colours: int) -> Values:
    """Flat boxes with thin frames on a flat ground, some with writing, as on a screen."""
    picture = np.broadcast_to(_colour(random, colours), (size, size, colours)).copy()
    for _ in range(int(random.integers(2, 8))):
        top, left = (int(random.integers(0, size - 7)) for _ in range(2))
        bottom, right = (int(random.integers(start + 6, size + 1)) for start in (top, left))
        picture[top:bottom, left:right] = _colour(random, colours)
        inside = np.s_[top + 1 : bottom - 1, left + 1 : right - 1]
        picture[inside] = writing(random, size, colours)[inside] if random.random() < 0.4 else _colour(random, colours)
    return picture


def noise(random: np.random.Generator, size: int, colours: int) -> Values:
    """Of any strength around one grey or colour, independent from pixel to pixel."""
    strength = 128 * random.uniform(0.05, 1) ** 2
    planes = colours if random.random() < 0.5 else 1
    return random.uniform(64, 192, colours) + strength * random.standard_normal((size, size, planes))


PATTERNS: tuple[Callable[[np.random.Generator, int, int], Values], ...] = (
    stripes, checks, squares, gradient, writing, windows, noise
)  # fmt: skip
