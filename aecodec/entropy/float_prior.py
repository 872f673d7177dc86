"""The integer networks of a weights file as float ones, through which gradients flow.

Integer layers are divided by their scale; the limits on activations are left out.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from aecodec.entropy.exact import FRACTION_BITS
from aecodec.networks.config import context_names
from aecodec.networks.model import Networks
from aecodec.weights import Arrays


@torch.no_grad()
def fill_prior(networks: Networks, arrays: Arrays) -> None:
    """Set the hyper synthesis and contexts of ``networks``. Raises KeyError or RuntimeError where nothing fits."""
    _fill(networks.hyper_synthesis, arrays, "hyper_synthesis", 0)
    for name, context in zip(context_names(networks.config), networks.contexts, strict=True):
        _fill(context, arrays, name, FRACTION_BITS)


def _fill(network: nn.Sequential, arrays: Arrays, prefix: str, bits_in: int) -> None:
    """Set float layers from integer ones; inputs of the first have ``bits_in`` fractional bits."""
    layers = list(network)
    for i, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        assert layer.bias is not None
        matrix, bias = (arrays[f"{prefix}.{i}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        shift = int(arrays[f"{prefix}.{i}.scale"][0])
        bits = shift - bits_in + FRACTION_BITS
        matrix, bias = matrix * 2.0**-bits, (bias - 2 ** (shift - 1)) * 2.0 ** -(bits + bits_in)
        if i + 1 < len(layers) and isinstance(layers[i + 1], nn.PixelShuffle):
            order = np.arange(len(bias)).reshape(4, -1).T.ravel()  # from (row, column, c) to (c, row, column)
            matrix, bias = matrix[:, order], bias[order]
        layer.weight.copy_(torch.from_numpy(matrix.T.reshape(layer.weight.shape)))  # (out, in, 1, 1) or (out, 1, 3, 3)
        layer.bias.copy_(torch.from_numpy(bias))
        bits_in = FRACTION_BITS
