"""What the curve of a run says to whoever started it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

FEWEST = 40  # records of the loop, of which the curve can be told
PART = 5  # of the run: its last fifth is compared with the one before it
WORTH = 0.01  # a loss that falls by so much of itself in a fifth of the run


def more_minutes(records: Sequence[Mapping[str, object]]) -> str:
    """That more minutes would help, where the loss fell to the end; empty where it did not, or where it is not known.

    Learning rates fall to the end of a run, and the loss with them: what falls in the last fifth by less than 1 %
    would hardly fall further.
    """
    losses = [float(loss) for record in records if isinstance(loss := record.get("loss"), (int, float))]
    size = len(losses) // PART
    if len(losses) < FEWEST:
        return ""
    before, last = fmean(losses[-2 * size : -size]), fmean(losses[-size:])
    if before <= 0 or last > (1 - WORTH) * before:
        return ""
    return f"the loss still falls, {1 - last / before:.0%} in the last fifth of the run: more minutes would help"
