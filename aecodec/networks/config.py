"""The shape of a model, and the constants that networks, tables and file format share. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from aecodec.checked import check_fields, within
from aecodec.networks.coding_order import order_of

PATCH = 8  # side of the pixel blocks that become channels in the convolutional networks
STRIDE = 16  # pixels per latent there
HYPER_STRIDE = 4  # latents per hyper latent there

SCALE_COUNT = 64  # number of probability tables of the latents
SCALE_MIN = 0.11
SCALE_MAX = 64.0
SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_COUNT - 1)
INDEX_UNIT = 8  # the networks put out scale index / 8, so that their outputs have a handy size

QUALITY_KNOTS = 3

MAX_WEIGHTS_BYTES = 200_000_000  # of a file


def standard_deviation(index: int) -> float:
    """Of the Gaussian that a scale index stands for."""
    return SCALE_MIN * math.exp(index * SCALE_STEP)


@dataclass(frozen=True)
class SharedConfig:
    """What models of every architecture have. Two models of one config have the same tensors."""

    latent_channels: int = within(2, 2048, 256)  # M
    hyper_channels: int = within(1, 1024, 96)
    hyper_width: int = within(1, 2048, 128)
    context_width: int = within(1, 2048, 160)
    lambda_min: float = within(1e-9, 1e9, 0.0005)  # of quality 1; bits per pixel for a squared grey level (0..255)
    lambda_max: float = within(1e-9, 1e9, 0.4)  # of quality 100
    colours: int = within(1, 3, 3)  # 1 for models of grey pictures only
    coding_steps: int = within(2, 3, 2)  # in which the latents are coded, 2 or 3, see aecodec.networks.coding_order

    ARCHITECTURE: ClassVar[str]

    def __post_init__(self) -> None:
        """Raises ValueError for what is out of range, or where the latents cannot be coded in so many steps."""
        check_fields(self)
        if self.colours == 2:
            raise ValueError("2 colours, not 1 or 3")
        if self.lambda_min > self.lambda_max:
            raise ValueError(f"lambda from {self.lambda_min} down to {self.lambda_max}")
        groups = order_of(self.coding_steps).groups
        if self.latent_channels % groups:
            raise ValueError(
                f"{self.latent_channels} latent channels; {self.coding_steps} coding steps need a multiple of {groups}"
            )

    @property
    def stride(self) -> int:
        """Pixels per latent, in both directions."""
        raise NotImplementedError

    @property
    def hyper_stride(self) -> int:
        """Latents per hyper latent, in both directions."""
        raise NotImplementedError

    @property
    def span(self) -> int:
        """Pixels per hyper latent, in both directions."""
        return self.stride * self.hyper_stride

    def context_macs(self) -> int:
        """Multiply-adds per position of the 1x1 convolutions of the context networks, without what is left out."""
        m, k, order = self.latent_channels, self.context_width, order_of(self.coding_steps)
        total = known = 0
        for step in range(1, order.steps):
            known += order.coded_count(step - 1, m)
            total += (2 * m + known + k + 2 * order.coded_count(step, m)) * k
        return total

    def kilo_macs_per_pixel(self) -> tuple[float, float, float]:
        """Thousand multiply-adds per pixel of (encoding, decoding, hyper synthesis and context alone)."""
        raise NotImplementedError


@dataclass(frozen=True)
class ConvolutionalConfig(SharedConfig):
    """The shape of a convolutional model, for pictures of any size."""

    channels: int = within(1, 2048, 160)  # C, at 1/8
    analysis_blocks: int = within(1, 64, 2)
    synthesis_blocks: int = within(1, 64, 2)

    ARCHITECTURE: ClassVar[str] = "convolutional"

    @property
    def stride(self) -> int:
        """Pixels per latent, in both directions: 16."""
        return STRIDE

    @property
    def hyper_stride(self) -> int:
        """Latents per hyper latent, in both directions: 4."""
        return HYPER_STRIDE

    def kilo_macs_per_pixel(self) -> tuple[float, float, float]:
        """Thousand multiply-adds per pixel of (encoding, decoding, hyper synthesis and context alone)."""
        c, m, z = self.channels, self.latent_channels, self.hyper_channels
        h, k = self.hyper_width, self.context_width
        at = {8: 1 / 64, 16: 1 / 256, 32: 1 / 1024, 64: 1 / 4096}
        block_c = (6 * c * c + 9 * c) * at[8]
        block_m = (6 * m * m + 9 * m) * at[16]
        ends = self.colours * PATCH**2 * c * at[8] + 4 * c * m * at[16] + block_m
        prior = z * 4 * h * at[64] + h * 4 * h * at[32] + (9 * h + h * 2 * m) * at[16]
        prior += (self.context_macs() + 9 * k * (self.coding_steps - 1)) * at[16]
        hyper = 9 * m * z * at[32] + 9 * z * z * at[64]
        encode = ends + self.analysis_blocks * block_c + hyper + prior
        decode = ends + self.synthesis_blocks * block_c + prior
        return encode / 1000, decode / 1000, prior / 1000


@dataclass(frozen=True)
class FullyConnectedConfig(SharedConfig):
    """A fully connected model of square blocks of pixels, or of whole small pictures."""

    latent_channels: int = within(2, 8192, 64)  # size of the code
    hyper_channels: int = within(1, 1024, 16)
    hyper_width: int = within(1, 2048, 64)
    context_width: int = within(1, 2048, 128)
    block: int = within(2, 64, 16)  # side; at least that of the pictures makes one block of each
    layers: int = within(0, 16, 2)  # with a non-linearity, each of the encoder and the decoder
    nodes: int = within(1, 16384, 512)  # of each

    ARCHITECTURE: ClassVar[str] = "fully connected"

    @property
    def stride(self) -> int:
        """Pixels per latent, in both directions: the block's side."""
        return self.block

    @property
    def hyper_stride(self) -> int:
        """Latents per hyper latent: 1, as every block has its own hyper latents."""
        return 1

    def kilo_macs_per_pixel(self) -> tuple[float, float, float]:
        """Thousand multiply-adds per pixel of (encoding, decoding, hyper synthesis and context alone)."""
        pixels, m, z = self.colours * self.block**2, self.latent_channels, self.hyper_channels
        h, n = self.hyper_width, self.nodes
        deep = pixels * m + (pixels * n + (self.layers - 1) * n * n + n * m if self.layers else 0)
        prior = z * h + h * 2 * m + self.context_macs()
        hyper = m * h + h * z
        per_pixel = 1 / self.block**2 / 1000
        return (deep + hyper + prior) * per_pixel, (deep + prior) * per_pixel, prior * per_pixel


def context_names(config: SharedConfig) -> tuple[str, ...]:
    """What the context networks of all steps but the first are called; the last one has the same name in all models."""
    return ("early_context", "context")[3 - config.coding_steps :]


def config_fields(config: SharedConfig) -> dict[str, Any]:
    """The fields of a config for JSON; the inverse of :func:`config_of`."""
    return {"architecture": config.ARCHITECTURE, **asdict(config)}


def config_of(fields: Mapping[str, Any]) -> SharedConfig:
    """A config of its fields; "convolutional" where they name no architecture. Raises TypeError or ValueError."""
    rest = {name: value for name, value in fields.items() if name != "architecture"}
    name = fields.get("architecture", ConvolutionalConfig.ARCHITECTURE)
    for kind in (ConvolutionalConfig, FullyConnectedConfig):
        if name == kind.ARCHITECTURE:
            return kind(**rest)
    raise TypeError(f"unknown architecture {name!r}")
