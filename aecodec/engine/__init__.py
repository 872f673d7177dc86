r"""Networks in fixed point: the one arithmetic of everything that decides symbols or pixels.

A float network gives slightly different results on another processor, with another thread count or another library
version. Here every number is an integer and every operation is defined to the last bit, so the same file gives the
same pixels everywhere. (Integer networks for this purpose: Ballé, Johnston, Minnen, ICLR 2019.)

Activations are int16, in memory (pictures, rows, columns, channels). They stand for real numbers with some number of
fractional bits, which is the network's business: no layer knows of it.

**Dense**, a 1x1 convolution, has weights (inputs, outputs), int16 but for -32768, and for each output
a bias (int32) and a shift (0..31)::

    total[o] = bias[o] + sum over i of x[i] * weight[i, o]          modulo 2^32, in -2^31 .. 2^31 - 1
    y[o]     = saturate(total[o] >> shift[o])                       floor(total / 2^shift), to -32768..32767
    y[o]     = max(y[o], (y[o] * slope + 2^14) >> 15)               where the layer is leaky, slope 0..32767

What rounds to nearest is the bias, which contains 2^(shift - 1). Sums wrap, so their order does not matter and the
result is right whenever the whole sum fits, whatever its parts do. The leaky slope has 15 fractional bits: 0.1 is 3277,
1/8 is 4096.

**Depthwise**, a 3x3 convolution of each channel by itself, has weights (9, channels), its taps row by row, and zeros
around the picture; bias, shift and saturation as above.

**Sum** adds what two branches give: saturate(a + b). A residual block is ``Sum((), (...))``; the empty branch is the
identity.

**SpaceToDepth** by b makes one position of every b x b positions, its channels ordered (row, column, channel);
**DepthToSpace** is the inverse. A 2x2 convolution with stride 2 is a SpaceToDepth and a Dense. **Neighbourhoods** puts
the 3x3 positions around every second position of every second row side by side, in the same order, zeros outside:
(h, w, c) to (ceil(h / 2), ceil(w / 2), 9 c). With a Dense it is a 3x3 convolution of stride 2 and padding 1.

**FromPixels** is a SpaceToDepth of uint8 pixels, less 128: its results are whole grey levels in -128..127.
**ToPixels** is a DepthToSpace to uint8 of grey levels, less 128, with f fractional bits::

    pixel = min(max(((x + (1 << f >> 1)) >> f) + 128, 0), 255)

**Phased** is a choice of Dense layers: positions of even row and column take the first one, even row and odd column
the second, odd and even the third, odd and odd the fourth.

:mod:`aecodec.engine.reference` is this page in NumPy. :class:`Network` runs the same natively, with the kernels for
this machine, where the package was built with a C compiler. The environment variable ``AECODEC_KERNELS`` chooses among
:func:`available`: avx512vnni, avx2, neon, portable, numpy.
"""

from aecodec.engine.layers import (
    Dense,
    DepthToSpace,
    Depthwise,
    FromPixels,
    Layer,
    Neighbourhoods,
    Phased,
    SpaceToDepth,
    Sum,
    ToPixels,
)
from aecodec.engine.network import Network, available

__all__ = [
    "Dense",
    "DepthToSpace",
    "Depthwise",
    "FromPixels",
    "Layer",
    "Neighbourhoods",
    "Network",
    "Phased",
    "SpaceToDepth",
    "Sum",
    "ToPixels",
    "available",
]
