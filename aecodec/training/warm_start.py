"""From a weights file back to a model that can be trained: the inverse of :mod:`aecodec.training.export`.

Float parameters are stored as they are. Integer layers are divided by their scale; the limits on activations are left
out. Of the density of the hyper latents only tables are stored, which do not tell where between the integers they lie:
it is fitted to the hyper latents of the pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aecodec.errors import ModelError
from aecodec.float_prior import fill_prior
from aecodec.networks import LogisticMixture, Model, to_network
from aecodec.weights import Weights

FIT_STEPS = 200
FIT_RATE = 0.05
QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)  # in 0..1; where the density is fitted


def trainable(weights: Weights, pixels: Tensor) -> Model:
    """The model of a weights file, with float parameters. Raises ModelError where its tensors do not fit.

    ``pixels`` (N, H, W, C) uint8 are crops of what it will be trained on.
    """
    arrays = weights.arrays
    try:
        model = Model(weights.card.config)
        for part in ("analysis", "synthesis", "hyper_analysis", "gains"):
            names = [name for name in arrays if name.startswith(part + ".")]
            state = {name[len(part) + 1 :]: torch.from_numpy(arrays[name]).float() for name in names}
            getattr(model, part).load_state_dict(state)
        fill_prior(model, arrays)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"weights of {weights.card.name} cannot be trained further ({error})") from error
    _fit(model.hyper_prior, _hyper_latents(model, pixels))
    return model


@torch.no_grad()
def _hyper_latents(model: Model, pixels: Tensor) -> Tensor:
    """Those of the pictures at each of QUALITIES, not yet rounded, (qualities, channels, values)."""
    y = torch.cat([model.analysis(to_network(part)) for part in torch.split(pixels, 8)])
    gains = model.gains.forward_gain(torch.tensor(QUALITIES))
    return torch.stack([model.hyper_analysis(y * gain).transpose(0, 1).flatten(1) for gain in gains])


def _fit(prior: LogisticMixture, z: Tensor) -> None:
    """Bring a mixture close to hyper latents: from their moments, then by gradient descent on the bits of all."""
    mean, deviation = z.mean((0, 2)), z.std((0, 2)).clamp(min=0.1)
    with torch.no_grad():
        prior.mean.mul_(deviation[:, None]).add_(mean[:, None])
        prior.log_scale.copy_((deviation / 2).log()[:, None].expand_as(prior.log_scale))
    optimizer = torch.optim.Adam(prior.parameters(), FIT_RATE)
    generator, q = torch.Generator().manual_seed(0), torch.tensor(QUALITIES)
    for step in range(FIT_STEPS):
        optimizer.param_groups[0]["lr"] = FIT_RATE * (1 - step / FIT_STEPS)
        noise = torch.rand(z.shape, generator=generator) - 0.5
        bits = -torch.log2(prior.probability(z + noise, q).clamp(min=1e-9)).sum()
        optimizer.zero_grad()
        bits.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    optimizer.zero_grad()
