"""The encoder's effort, in steps of :mod:`aecodec.refinement`."""

from __future__ import annotations

EFFORTS = (0, 1, 2, 3, 4, 6, 8, 12, 24, 100)  # steps of effort 0..9


def steps_of(effort: int) -> int:
    """Steps of an effort 0..9. Raises ValueError for others."""
    if not 0 <= effort < len(EFFORTS):
        raise ValueError(f"effort {effort} is not within 0..{len(EFFORTS) - 1}")
    return EFFORTS[effort]
