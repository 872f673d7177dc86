"""Which networks suit the pictures: what the user asks for, and the rest by what the pictures are."""

from __future__ import annotations

from dataclasses import dataclass

from aecodec.errors import DataError
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig
from aecodec.training.data import Pictures, all_grey
from aecodec.training.pictures import PictureArray

LARGEST_BLOCK = 64  # side; larger blocks make too many weights
DEFAULT_BLOCK = 16
SMALL_PICTURE = 32  # side
BATCH_PIXELS = 2**18  # of a step, at least


@dataclass(frozen=True)
class Shape:
    """Wishes; None leaves the choice to :func:`choose`."""

    fully_connected: bool = False
    code_size: int | None = None
    channels: int | None = None
    analysis_blocks: int | None = None
    synthesis_blocks: int | None = None
    coding_steps: int | None = None
    block: int | None = None
    layers: int | None = None
    nodes: int | None = None


def choose(pictures: Pictures, shape: Shape) -> SharedConfig:
    """A config for training on these pictures.

    Convolutional where nothing else is asked for. Fully connected models of small pictures take each as one block, and
    models of grey pictures have one colour. Raises DataError where wishes do not go together.
    """
    side = max(pictures.pixels.shape[1:3]) if isinstance(pictures, PictureArray) else None
    colours = 1 if all_grey(pictures) else 3
    if not shape.fully_connected:
        if shape.block or shape.layers is not None or shape.nodes:
            raise DataError("block, layers and nodes are of fully connected models")
        try:
            return ConvolutionalConfig(
                latent_channels=shape.code_size or ConvolutionalConfig.latent_channels,
                channels=shape.channels or ConvolutionalConfig.channels,
                analysis_blocks=shape.analysis_blocks or ConvolutionalConfig.analysis_blocks,
                synthesis_blocks=shape.synthesis_blocks or ConvolutionalConfig.synthesis_blocks,
                coding_steps=shape.coding_steps or ConvolutionalConfig.coding_steps,
                colours=colours,
            )
        except ValueError as error:
            raise DataError(str(error)) from error
    if shape.channels or shape.analysis_blocks or shape.synthesis_blocks or shape.coding_steps:
        raise DataError("channels, analysis and synthesis blocks and coding steps are of convolutional models")
    block = shape.block or (side if side is not None and side <= SMALL_PICTURE else DEFAULT_BLOCK)
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
    """A third of the values; the entropy model makes free what is not needed."""
    return max(8, 2 * round(colours * block * block / 6))


def whole_pictures(pictures: Pictures, crop: int) -> bool:
    """Whether every crop is a small picture: then up, down, left and right have a meaning that is learned."""
    return isinstance(pictures, PictureArray) and max(pictures.pixels.shape[1:3]) <= min(crop, SMALL_PICTURE)


def fitting_batch(batch: int, crop: int) -> int:
    """Crops a step: the smaller they are, the more."""
    return max(batch, BATCH_PIXELS // crop**2)
