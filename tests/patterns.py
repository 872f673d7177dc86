"""Pictures that no camera takes, at any phase: what a codec must not ruin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SIZE = 192
Y, X = np.mgrid[:SIZE, :SIZE]
BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)
CYAN, MAGENTA, YELLOW = (0, 255, 255), (255, 0, 255), (255, 255, 0)


def two(mask: Mask, one: tuple[int, int, int], other: tuple[int, int, int]) -> Pixels:
    return np.where(mask[..., None], one, other).astype(np.uint8)


def flat(colour: tuple[int, int, int]) -> Pixels:
    return np.broadcast_to(np.array(colour, np.uint8), (SIZE, SIZE, 3)).copy()


def writing(phase: int) -> Mask:
    """Lines of marks of the size of letters, one pixel thick."""
    random, ink = np.random.default_rng(5), np.zeros((SIZE, SIZE), np.bool_)
    for top in range(phase, SIZE - 8, 10):
        for left in range(phase, SIZE - 8, 7):
            for _ in range(3):
                if random.random() < 0.5:
                    ink[top + random.integers(8), left : left + 5] = True
                else:
                    ink[top : top + 8, left + random.integers(5)] = True
    return ink


def chart(phase: int) -> Pixels:
    colours = 255 * np.random.default_rng(phase).integers(0, 2, (SIZE // 16 + 1, SIZE // 16 + 1, 3), np.uint8)
    return colours.repeat(16, 0).repeat(16, 1)[phase : phase + SIZE, phase : phase + SIZE]


def screen(phase: int) -> Pixels:
    """A window with a title, a frame, buttons and writing."""
    picture = flat((236, 240, 244))
    picture[8 + phase :, 8 + phase :] = (255, 255, 255)
    picture[8 + phase : 24 + phase, 8 + phase :] = (0, 90, 158)
    picture[8 + phase, 8 + phase :] = picture[8 + phase :, 8 + phase] = 0
    ink = writing(phase)
    picture[30 + phase : 150, 14 + phase : 150][ink[30 + phase : 150, 14 + phase : 150]] = (20, 20, 20)
    picture[40:56, 120:160] = (0, 200, 80)
    return picture


def gradient(phase: int) -> Pixels:
    return np.stack([X * 255 // SIZE, Y * 255 // SIZE, (X + Y + phase) % 256], -1).astype(np.uint8)


def noise(phase: int) -> Pixels:
    return np.random.default_rng(phase).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


PATTERNS: dict[str, Callable[[int], Pixels]] = {
    "upright stripes": lambda p: two((X + p) % 2 == 0, WHITE, BLACK),
    "level stripes": lambda p: two((Y + p) % 2 == 0, WHITE, BLACK),
    "wider stripes": lambda p: two((X + p) // 4 % 2 == 0, WHITE, BLACK),
    "slanted stripes": lambda p: two((X + Y + p) % 4 < 2, WHITE, BLACK),
    "checks": lambda p: two((X + Y + p) % 2 == 0, WHITE, BLACK),
    "larger checks": lambda p: two(((X + p) // 8 + Y // 8) % 2 == 0, WHITE, BLACK),
    "coloured stripes": lambda p: two((X + p) % 2 == 0, RED, CYAN),
    "coloured checks": lambda p: two((X + Y + p) % 2 == 0, RED, BLUE),
    "green": lambda p: flat(GREEN),
    "magenta": lambda p: flat(MAGENTA),
    "chart": chart,
    "lines": lambda p: two((p == X % 16) | (p == Y % 16), WHITE, BLACK),
    "coloured lines": lambda p: two((p == X % 16) | (p == Y % 16), RED, GREEN),
    "dots": lambda p: two((p == X % 16) & (p == Y % 16), WHITE, BLACK),
    "writing": lambda p: two(writing(p), BLACK, WHITE),
    "coloured writing": lambda p: two(writing(p), MAGENTA, GREEN),
    "screen": screen,
    "gradient": gradient,
    "noise": noise,
    "binary noise": lambda p: np.asarray(255 * (noise(p) & 1), np.uint8),
    "grey noise": lambda p: noise(p)[..., :1].repeat(3, -1),
}
PLACES = {
    "middle": np.s_[72:120, 72:120],
    "corner": np.s_[:40, :40],
    "edge": np.s_[72:120, 152:192],
    "between cells": np.s_[67:109, 83:131],
    "everywhere": np.s_[:, :],
}


def surroundings() -> Pixels:
    """Like a photograph: smooth, with some noise."""
    waves = [127 + 60 * np.sin(X / 17 + Y / 29), 127 + 50 * np.cos(X / 23), 127 + 50 * np.sin(Y / 13)]
    grain = np.random.default_rng(0).normal(0, 3, (SIZE, SIZE, 3))
    return np.clip(np.stack(waves, -1) + grain, 0, 255).astype(np.uint8)


def with_pattern(name: str, phase: int, place: str) -> Pixels:
    pixels, part = surroundings(), PLACES[place]
    pixels[part] = PATTERNS[name](phase)[part]
    return pixels
