"""Which networks suit the pictures: what the user asks for, and the rest by what the pictures are."""

from __future__ import annotations

from dataclasses import dataclass

from aecodec.config import FullyConnectedConfig, ModelConfig, SharedConfig
from aecodec.errors import DataError
from aecodec.training.data import PictureArray, Pictures, all_grey

LARGEST_BLOCK = 64  # side; larger blocks make too many weights
DEFAULT_BLOCK = 16
BATCH_PIXELS = 2**20  # of a step of fully connected models


@dataclass(frozen=True)
class Shape:
    """Wishes; None leaves the choice to :func:`choose`."""

    fully_connected: bool | None = None
    code_size: int | None = None
    channels: int | None = None
    block: int | None = None
    layers: int | None = None
    nodes: int | None = None


def choose(pictures: Pictures, shape: Shape) -> SharedConfig:
    """A config for training on these pictures.

    Arrays of small pictures get a fully connected model of whole pictures, everything else a convolutional one. Models
    of grey pictures have one colour. Raises DataError where wishes do not go together.
    """
    side = max(pictures.pixels.shape[1:3]) if isinstance(pictures, PictureArray) else None
    small = side is not None and side <= LARGEST_BLOCK // 2
    colours = 1 if all_grey(pictures) else 3
    if not (small if shape.fully_connected is None else shape.fully_connected):
        if shape.block or shape.layers is not None or shape.nodes:
            raise DataError("block, layers and nodes are of fully connected models")
        return ModelConfig(
            latent_channels=shape.code_size or ModelConfig.latent_channels,
            channels=shape.channels or ModelConfig.channels,
            colours=colours,
        )
    if shape.channels:
        raise DataError("channels are of convolutional models")
    block = shape.block or (side if small and side is not None else DEFAULT_BLOCK)
    if block > LARGEST_BLOCK:
        raise DataError(f"blocks of {block} pixels; at most {LARGEST_BLOCK} make sense")
    return FullyConnectedConfig(
        latent_channels=shape.code_size or default_code_size(block, colours),
        block=block,
        layers=FullyConnectedConfig.layers if shape.layers is None else shape.layers,
        nodes=shape.nodes or FullyConnectedConfig.nodes,
        colours=colours,
    )


def default_code_size(block: int, colours: int) -> int:
    """An eighth of the grey, a twelfth of the colour values; the entropy model makes free what is not needed."""
    return max(8, 2 * round(block * block * (2 if colours == 3 else 1) / 16))


def whole_pictures(pictures: Pictures, config: SharedConfig) -> bool:
    """Whether every picture is one block: then up, down, left and right have a meaning that is learned."""
    return (
        isinstance(config, FullyConnectedConfig)
        and isinstance(pictures, PictureArray)
        and max(pictures.pixels.shape[1:3]) <= config.block
    )


def fitting_batch(batch: int, crop: int, config: SharedConfig) -> int:
    """Crops a step. Fully connected layers have many weights and little work per pixel: they want large batches."""
    return max(batch, BATCH_PIXELS // crop**2) if isinstance(config, FullyConnectedConfig) else batch
