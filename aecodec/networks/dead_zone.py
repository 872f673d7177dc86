"""How the encoder rounds: a symbol of one that costs much for what it improves becomes a zero.

Rounding to the nearest integer has the least error. Where the probabilities expect a zero, a one costs many bits, and a
latent just beyond one half gains next to nothing by it: there the interval of the zero is wider. Only bits and error
of the single symbol are weighed (rate-distortion optimised quantisation as in video coding: Karczewicz, Ye, Chong,
VCEG-AH21, 2008). Decoders see no difference.
"""

from __future__ import annotations

import math

import numpy as np

from aecodec.networks.config import SCALE_COUNT, standard_deviation

# Bits that one squared step of error is worth. At high rates the optimum would be 6 / ln 2, if errors were noise. But
# where networks put out a latent beyond expectation they have weighed its bits, and it matters more. Found by trial.
ERROR_WEIGHT = 60.0


def _bits_of_a_one(index: int) -> float:
    """What a one costs more than a zero, by the Gaussian of a scale index."""
    unit = 1 / (standard_deviation(index) * math.sqrt(2))
    zero = math.erf(0.5 * unit)
    one = (math.erfc(0.5 * unit) - math.erfc(1.5 * unit)) / 2
    return math.log2(zero / one)


# For each scale index the deviation from the mean below which a symbol is zero. Where the index is 0 only zeros can be
# coded: no choice to make.
DEAD_ZONE = np.array(
    [0.5, *(0.5 + _bits_of_a_one(index) / (2 * ERROR_WEIGHT) for index in range(1, SCALE_COUNT))], np.float32
)
