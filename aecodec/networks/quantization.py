"""Float parameters to the integers of :mod:`aecodec.engine`, and back: :func:`quantized` and :func:`fill` mirror each
other.

A row of weights (those of one output) has as many fractional bits as 16 bits of weight allow, but at most 14: that is
also its shift, and so a result may be four times what saturates before its sum wraps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from aecodec.engine import Dense, Depthwise
from aecodec.engine.layers import WEIGHT_LIMIT
from aecodec.networks.fixed_point import Convolution, Make, convolutions, fractions, stored
from aecodec.networks.model import Networks
from aecodec.weights import Arrays

MOST_SHIFT = 14

Matrix = npt.NDArray[np.float64]


def quantized(networks: nn.Module, arrays: Arrays) -> Make:
    """Makes layers of the float parameters of ``networks``, and leaves their integers in ``arrays``."""

    def make(convolution: Convolution) -> Dense | Depthwise:
        module = networks.get_submodule(convolution.name)
        assert isinstance(module, nn.Conv2d)
        matrix = _matrix(module, convolution)
        bias = np.zeros(len(module.weight)) if module.bias is None else _numbers(module.bias)
        bias = bias[_outputs(len(bias), convolution.shuffled)]
        takes, gives = convolution.takes, convolution.gives
        matrix = matrix * (gives.factor / takes.factor)
        bias = gives.factor * bias + gives.offset - takes.offset * matrix.sum(0)

        largest = np.maximum(np.abs(matrix).max(0), 2.0**-MOST_SHIFT)
        shift = np.minimum(np.floor(np.log2(WEIGHT_LIMIT / largest)), MOST_SHIFT).astype(np.int64)
        if shift.min() < 0:
            raise ValueError(f"{convolution.name}: weights of {largest.max():.0f} times their outputs are too large")
        half = 2**shift >> 1
        weight = np.rint(matrix * 2.0**shift).astype(np.int16)
        offset = np.clip(np.rint(bias * 2.0**shift) + half, -(2**31), 2**31 - 1).astype(np.int32)
        for part, array in (("weight", weight), ("bias", offset), ("shift", shift.astype(np.uint8))):
            arrays[f"{convolution.name}.{part}"] = array
        return stored(arrays)(convolution)

    return make


def fill(networks: Networks, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Set float networks from the integers of a weights file. Raises KeyError or RuntimeError where nothing fits."""
    for convolution in convolutions(networks.config, fractions(arrays)):
        _fill(networks, convolution, arrays)


@torch.no_grad()
def _fill(networks: Networks, convolution: Convolution, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    weight, bias, shift = (
        arrays[f"{convolution.name}.{part}"].astype(np.float64) for part in ("weight", "bias", "shift")
    )
    takes, gives = convolution.takes, convolution.gives
    matrix, offset = weight * 2.0**-shift, (bias - np.floor(2.0 ** (shift - 1))) * 2.0**-shift
    offset = (offset + takes.offset * matrix.sum(0) - gives.offset) / gives.factor
    matrix *= takes.factor / gives.factor
    module = networks.get_submodule(convolution.name)
    assert isinstance(module, nn.Conv2d)
    _set_matrix(module, convolution, matrix)
    if module.bias is not None:
        given = np.empty_like(offset)
        given[_outputs(len(offset), convolution.shuffled)] = offset
        module.bias.copy_(torch.from_numpy(given))


def _matrix(module: nn.Conv2d, convolution: Convolution) -> Matrix:
    """The weights (out, in, rows, columns) as (inputs in the engine's order, outputs likewise)."""
    matrix = _numbers(module.weight).transpose(2, 3, 1, 0).reshape(-1, len(module.weight))
    if not convolution.depthwise:
        matrix = matrix[_outputs(len(matrix), convolution.unshuffled)]
    return matrix[:, _outputs(matrix.shape[1], convolution.shuffled)]


def _set_matrix(module: nn.Conv2d, convolution: Convolution, matrix: Matrix) -> None:
    """The inverse of :func:`_matrix`."""
    given = np.empty_like(matrix)
    rows = np.arange(len(matrix)) if convolution.depthwise else _outputs(len(matrix), convolution.unshuffled)
    given[np.ix_(rows, _outputs(matrix.shape[1], convolution.shuffled))] = matrix
    out, into, *kernel = module.weight.shape
    module.weight.copy_(torch.from_numpy(given.reshape(*kernel, into, out).transpose(3, 2, 0, 1)))


def _outputs(count: int, block: int) -> npt.NDArray[np.intp]:
    """Where PyTorch's pixel shuffle has the channels (row, column, channel): at (channel, row, column)."""
    return np.arange(count).reshape(-1, block * block).T.ravel()


def _numbers(parameter: torch.Tensor) -> Matrix:
    numbers: Matrix = parameter.detach().double().cpu().numpy()
    return numbers
