"""The rate-distortion objective, and what the kinds of autoencoders add to it; see docs/models.md.

It is the loss of a variational autoencoder whose posterior is a unit-wide uniform. Rate is measured on latents with
additive uniform noise, distortion on truly rounded latents with a straight-through gradient (the mixed scheme of Minnen
and Singh, ICIP 2020; Guo et al., ICML 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aecodec.networks.model import Model, entropy_parameters, to_network
from aecodec.networks.rate import at_least, gaussian_bits, lagrangian, symbols
from aecodec.training.distortion import Distortion, distortion

LARGEST_LOSS = 50.0  # among patterns; photographs reach about 25 for the eye, 60 for squared error


def straight_through_round(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def straight_through_symbols(deviation: Tensor, scale: Tensor) -> Tensor:
    """The symbols that the encoder makes of deviations from the mean, with the gradient of the identity."""
    return deviation + (symbols(deviation, scale) - deviation).detach()


@dataclass(frozen=True)
class Noise:
    """What is done to pictures whose clean form is to be restored; of each sample an amount in the range is drawn."""

    levels: tuple[float, float] = (0.0, 0.0)  # standard deviations of Gaussian noise, from .. to, in grey levels
    missing: tuple[float, float] = (0.0, 0.0)  # shares of pixels that are black, from .. to


@dataclass(frozen=True)
class Objective:
    """What is added to plain rate-distortion; the default adds nothing."""

    noise: Noise | None = None  # denoising
    sparsity: float = 0.0  # sparse: bits charged for each unit of absolute scaled latent
    contraction: float = 0.0  # contractive: bits charged for the squared change of the scaled latents per grey level
    distortion: Distortion = "mse"
    largest_loss: float = math.inf  # of a sample; see bounded


@dataclass(frozen=True)
class Terms:
    """One value per sample: the loss, and what it is made of."""

    loss: Tensor
    bpp: Tensor
    mse: Tensor
    score: Tensor  # SSIMULACRA2; nan where the objective does not look at it


def add_noise(pixels: Tensor, noise: Noise, generator: torch.Generator) -> Tensor:
    """Pixels (N, H, W, C) uint8 with Gaussian noise, as a camera would store them, and with pixels missing.

    Noisy input and clean target make the denoising autoencoder (Vincent et al., ICML 2008, who set pixels to 0).
    """

    def drawn(amounts: tuple[float, float]) -> Tensor:
        low, high = amounts
        return low + (high - low) * torch.rand(len(pixels), 1, 1, 1, generator=generator, device=pixels.device)

    if noise.levels[1]:
        level = drawn(noise.levels)
        gauss = torch.randn(pixels.shape, generator=generator, device=pixels.device)
        pixels = (pixels + level * gauss).round().clamp(0, 255).to(torch.uint8)
    if noise.missing[1]:
        share = drawn(noise.missing)
        there = torch.rand(*pixels.shape[:3], 1, generator=generator, device=pixels.device) >= share
        pixels = pixels * there
    return pixels


def jacobian_norm(model: Model, x: Tensor, code: Tensor, gain: Tensor, generator: torch.Generator) -> Tensor:
    """Squared Frobenius norm (N,) of the Jacobian of the scaled latents, per grey level; a random estimate.

    For small Gaussian steps u the mean of |f(x + u) - f(x)|^2 is |J|^2 times their variance. That costs one more
    analysis forward and backward; the exact norm would cost one for every latent. (Contractive autoencoder: Rifai et
    al., ICML 2011.)
    """
    grey_level = 4 / 255  # in units of the network
    step = grey_level * torch.randn(x.shape, generator=generator, device=x.device)
    change: Tensor = (model.analysis(x + step) * gain - code).square().sum((1, 2, 3))
    return change


PLAIN = Objective()


def rate_distortion(
    model: Model, pixels: Tensor, q: Tensor, generator: torch.Generator, objective: Objective = PLAIN
) -> Terms:
    """Loss terms of uint8 pixels (N, H, W, C), sides multiples of the strides, at qualities ``q`` (N,) in 0..1."""

    def noise(x: Tensor) -> Tensor:
        return torch.rand(x.shape, generator=generator, device=x.device) - 0.5

    x = to_network(pixels)
    seen = x if objective.noise is None else to_network(add_noise(pixels, objective.noise, generator))
    gain = model.gains.forward_gain(q)
    y = model.analysis(seen) * gain
    z = model.hyper_analysis(y)
    z_bits = -torch.log2(at_least(model.hyper_prior.probability(z + noise(z), q), 1e-9))
    first = model.hyper_synthesis(straight_through_round(z))[:, :, : y.shape[2], : y.shape[3]]

    def restored(mean: Tensor, scale: Tensor) -> Tensor:
        return straight_through_symbols(y - mean, scale) + mean

    mean, scale = entropy_parameters(model, first, restored)
    y_bits = gaussian_bits(y + noise(y) - mean, scale)
    y_hat = restored(mean, scale)
    x_hat = model.synthesis(y_hat * model.gains.inverse_gain(q))
    positions = x.shape[2] * x.shape[3]
    bpp = (y_bits.sum((1, 2, 3)) + z_bits.sum((1, 2, 3))) / positions
    charged = bpp
    if objective.sparsity:
        charged = charged + objective.sparsity * y.abs().sum((1, 2, 3)) / positions
    if objective.contraction:
        charged = charged + objective.contraction * jacobian_norm(model, seen, y, gain, generator) / positions
    weight = lagrangian(model.config, q)
    errors = distortion(objective.distortion, x_hat, x, weight)
    loss = (charged + weight * errors.total) / weight.sqrt()
    return Terms(bounded(loss, objective.largest_loss), bpp.detach(), errors.mse.detach(), errors.score.detach())


def bounded(loss: Tensor, largest: float) -> Tensor:
    """Losses (N,) beyond the largest one scaled down to it, gradient and all.

    A crop that the model cannot do yet, noise or one-pixel stripes, would otherwise be all that a step is about.
    """
    return loss * (largest / loss.detach()).clamp(max=1)
