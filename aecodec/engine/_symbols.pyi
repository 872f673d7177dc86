"""The compiled part: native/symbols/module.c. All arrays are contiguous; ValueError where they do not fit together."""

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
State = npt.NDArray[np.uint64]  # four numbers, see native/symbols/symbols.h
Step = tuple[int, int, int, int]  # positions, latents at each, the first one that is coded, how many are
Tables = tuple[Int32, Int32, npt.NDArray[np.uint32], npt.NDArray[np.uint16]]  # starts, minimum, left, guess

def expect(step: Step, parameters: Int16, correction: Int16 | None, mean: Int32, index: Bytes, /) -> None: ...
def known(step: Step, parameters: Int16, latents: Int32, result: Int16, /) -> None: ...
def restore(step: Step, symbols: Int32, mean: Int32, latents: Int32, /) -> None: ...
def quantise(step: Step, scaled: Int32, mean: Int32, index: Bytes, zone: Int32, symbols: Int32, /) -> float: ...
def scale(positions: int, channels: int, shift: int, x: Int16, factor: Int64, y: Int32, /) -> None: ...
def scale_saturated(positions: int, channels: int, shift: int, x: Int16, factor: Int64, y: Int16, /) -> None: ...
def unscale(positions: int, channels: int, shift: int, x: Int32, factor: Int64, y: Int16, /) -> None: ...
def encode(coder: State, tables: Tables, first: int, symbols: Int32, index: Bytes, /) -> tuple[bytes, int]:
    """The words that became certain, and how many symbols are escapes; those of tables below ``first`` are left out."""

def decode(
    coder: State, words: npt.NDArray[np.uint32], tables: Tables, first: int, index: Bytes, symbols: Int32, /
) -> int:
    """How many of the ``symbols`` that it sets are escapes; negative where no encoder wrote the words."""
