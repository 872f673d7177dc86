"""What the curve of a run, and its verdict, say to whoever started it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from aecodec.evaluation.verdict import Verdict
from aecodec.options import DEFAULT_MODEL

FEWEST = 40  # records of the loop, of which the curve can be told
PART = 5  # of the run: its last fifth is compared with the one before it
NEAR = 5.0  # percent more bytes than a new model's, with which the installed one is a good start
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


def better_start(verdict: Verdict) -> str:
    """That the installed photo model is where to start from, for a run that began with nothing; empty where not.

    It has not seen these pictures: where it needs hardly more bytes than a model that was trained on them, or fewer,
    training it on them is likely to make a better one.
    """
    own = verdict.against_photo()
    if own is None:
        return ""
    more = round(100 * (100 / (100 + own) - 1), 1)
    if more > NEAR:
        return ""
    suits = f"--init {DEFAULT_MODEL} would suit these pictures"
    if math.isinf(own):
        return f"{suits}: without having seen them, {DEFAULT_MODEL} makes better ones at all qualities"
    needs = f"only {more:.1f} % more" if more > 0 else f"{-more:.1f} % fewer" if more else "no more"
    return f"{suits}: without having seen them, {DEFAULT_MODEL} needs {needs} bytes than this model"
