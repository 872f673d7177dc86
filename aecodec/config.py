"""The shape of a model, and the constants that networks, tables and file format share. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass

PATCH = 8  # side of the pixel blocks that become channels
STRIDE = 16  # pixels per latent
HYPER_STRIDE = 4  # latents per hyper latent

SCALE_COUNT = 64  # number of probability tables of the latents
SCALE_MIN = 0.11
SCALE_MAX = 64.0
SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_COUNT - 1)
INDEX_UNIT = 8  # the networks put out scale index / 8, so that their outputs have a handy size

GAIN_KNOTS = 3


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. Two models of one config have the same tensors."""

    channels: int = 160  # C, at 1/8
    latent_channels: int = 256  # M, at 1/16
    analysis_blocks: int = 2
    synthesis_blocks: int = 2
    hyper_channels: int = 96
    hyper_width: int = 128
    context_width: int = 160
    lambda_min: float = 0.0005  # of quality 1; rate in bits per pixel, distortion in squared grey levels (0..255)
    lambda_max: float = 0.4  # of quality 100


def kilo_macs_per_pixel(config: ModelConfig) -> tuple[float, float, float]:
    """Thousand multiply-adds per pixel of (encoding, decoding, hyper synthesis and context alone)."""
    c, m, z = config.channels, config.latent_channels, config.hyper_channels
    h, k = config.hyper_width, config.context_width
    at = {8: 1 / 64, 16: 1 / 256, 32: 1 / 1024, 64: 1 / 4096}
    block_c = (6 * c * c + 9 * c) * at[8]
    block_m = (6 * m * m + 9 * m) * at[16]
    ends = 192 * c * at[8] + 4 * c * m * at[16] + block_m
    prior = z * 4 * h * at[64] + h * 4 * h * at[32] + (9 * h + h * 2 * m) * at[16]
    prior += (3 * m * k + 9 * k + k * k + k * 2 * m) * at[16]
    hyper = 9 * m * z * at[32] + 9 * z * z * at[64]
    encode = ends + config.analysis_blocks * block_c + hyper + prior
    decode = ends + config.synthesis_blocks * block_c + prior
    return encode / 1000, decode / 1000, prior / 1000
