"""From a weights file back to a model that can be trained: the inverse of :mod:`aecodec.training.export`.

Integers are divided by their scale; the limits on activations are left out. Of the density of the hyper latents only
tables are stored, which do not tell where between the integers they lie: it is fitted to the hyper latents of the
pictures.

A model can be given more blocks and another step of coding on the way. What is new puts out zeros at first, so that the
model is the same until training has found something for it to do (Net2Net: Chen, Goodfellow, Shlens, ICLR 2016). New
blocks come after the old ones; the context network of a new step has the layers of the last step's below its own end.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from aecodec.errors import DataError, ModelError
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig, context_names
from aecodec.networks.convolutional import Block
from aecodec.networks.gains import natural_logarithms
from aecodec.networks.model import LogisticMixture, Model, Networks, to_network
from aecodec.networks.quantization import fill
from aecodec.training.architecture import Shape
from aecodec.training.initialize import draw
from aecodec.weights import Weights

FIT_STEPS = 200
FIT_RATE = 0.05
GROWING = {"analysis_blocks", "synthesis_blocks", "coding_steps"}
QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)  # in 0..1; where the density is fitted


def grown(config: SharedConfig, shape: Shape) -> SharedConfig:
    """The config with as many blocks and coding steps as wished. Raises DataError where that is another model."""
    has = asdict(config) | {
        "code_size": config.latent_channels,
        "fully_connected": isinstance(config, FullyConnectedConfig),
    }
    wished = {name: wish for name, wish in asdict(shape).items() if wish is not None and wish is not False}
    wishes = {name: wish for name, wish in wished.items() if wish != has.get(name)}
    if not wishes:
        return config
    if not wishes.keys() <= GROWING or not isinstance(config, ConvolutionalConfig):
        raise DataError("a model to start from keeps its shape; only a convolutional one can get more blocks and steps")
    for name, wish in wishes.items():
        if wish < has[name]:
            raise DataError(
                f"the model to start from has {has[name]} {name.replace('_', ' ')}; they can only become more"
            )
    try:
        return replace(config, **wishes)
    except ValueError as error:
        raise DataError(str(error)) from error


def trainable(weights: Weights, pixels: Tensor, config: SharedConfig | None = None) -> Model:
    """The model of a weights file, with float parameters. Raises ModelError where its tensors do not fit.

    ``pixels`` (N, H, W, C) uint8 are crops of what it will be trained on. ``config``: that of the weights, or the same
    :func:`grown`.
    """
    arrays = weights.arrays
    try:
        model = Model(config or weights.card.config)
        smaller = Networks(weights.card.config)
        fill(smaller, arrays)
        for part in ("analysis", "synthesis", "hyper_analysis"):
            _spread(getattr(model, part), getattr(smaller, part))
        gains = {name: natural_logarithms(arrays["gains." + name]) for name in ("encode", "decode")}
        model.gains.load_state_dict({name: torch.from_numpy(knots) for name, knots in gains.items()})
        model.hyper_synthesis = smaller.hyper_synthesis
        old = context_names(smaller.config)
        for name, context in zip(context_names(model.config), model.contexts, strict=True):
            context.load_state_dict(smaller.get_submodule(name if name in old else old[-1]).state_dict())
            if name not in old:
                for parameter in context[-1].parameters():
                    nn.init.zeros_(parameter)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"weights of {weights.card.name} cannot be trained further ({error})") from error
    _fit(model.hyper_prior, _hyper_latents(model, pixels))
    return model


@torch.no_grad()
def _spread(network: nn.Sequential, smaller: nn.Sequential) -> None:
    """Set a network from one with fewer blocks or as many; those it has more do nothing yet."""
    draw(network)
    sources = list(smaller)
    for layer in network:
        if isinstance(layer, Block) and not _alike(layer, sources[0]):
            continue
        source = sources.pop(0)
        layer.load_state_dict(source.state_dict())


def _alike(layer: nn.Module, other: nn.Module) -> bool:
    """Whether a state fits both."""
    return {n: t.shape for n, t in layer.state_dict().items()} == {n: t.shape for n, t in other.state_dict().items()}


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
