"""The codec: pictures <-> bytes. The only module that knows both the networks and the container.

The payload of a file is what :mod:`aecodec.entropy.latents` writes: hyper latents, then latents, of the picture's
colour channels; a grey picture is coded as one whose three channels are equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aecodec import weights
from aecodec.effort import steps_of
from aecodec.encoding import ANALYSIS, CODING, REFINEMENT, Encoder, Original, Refinement, stages
from aecodec.entropy import latents
from aecodec.entropy.prior import Tables, load_prior
from aecodec.errors import DecodeError, EffortWarning, FormatError, ImageError, LimitError, ModelError, missing_extra
from aecodec.format.container import MAX_PIXELS, Coding, Contents, Header, pack, parse
from aecodec.frame import decode_lossless, encode_lossless, frame_of, patches_of, picture_of
from aecodec.inputs import Model, Source, each, named, read_source
from aecodec.networks.fixed_point import PRIOR_BITS, Int16, tensors
from aecodec.networks.gains import POSITION_BITS, Gain
from aecodec.options import DEFAULT_EFFORT, DEFAULT_MODEL, DEFAULT_QUALITY, QUALITY_RANGE, Options, hundredths
from aecodec.patches import Show
from aecodec.perceived import scorer
from aecodec.pictures import images
from aecodec.pictures.images import AnyPicture, Picture
from aecodec.pictures.lossless import lossless_may_be_smaller
from aecodec.progress import UNWATCHED, Listener, Stage
from aecodec.transform import Transform
from aecodec.untraced import untraced

if TYPE_CHECKING:
    from aecodec.refinement import Refiner

Pixels = npt.NDArray[np.uint8]

ADDED = "sampler."  # tensors that coding does without
A_STACK = "a stack of pictures rather than one; aecodec.decode_stack restores it"


@dataclass(frozen=True)
class CodedLatents:
    """The symbols of a batch as bytes, and their checksum."""

    payload: bytes
    escapes: bytes
    crc: int


class Codec:
    """One model, ready to compress and decompress; immutable, and safe to use from several threads."""

    def __init__(self, model: weights.Weights) -> None:
        config = model.card.config
        self.card = model.card
        self.id = model.id
        self.weights = model
        self.transform = Transform(config, model.arrays, model.card.training.crop)
        self.prior = load_prior(config, model.arrays)
        if unknown := [name for name in sorted(model.arrays.keys() - tensors(config)) if not name.startswith(ADDED)]:
            raise ModelError(f"weights with a tensor {unknown[0]!r} that this program does not know")

    def __repr__(self) -> str:
        return f"<Codec {self.card.name} {self.id.hex()}>"

    def __reduce__(self) -> tuple[type[Codec], tuple[weights.Weights]]:
        """To be pickled: as its weights, so that it can go where these are not installed."""
        return Codec, (self.weights,)

    def __copy__(self) -> Codec:
        return self  # which nothing changes

    def __deepcopy__(self, _: object) -> Codec:
        return self

    @untraced
    def encode(
        self,
        picture: AnyPicture,
        /,
        quality: float | None = None,
        *,
        target_size: int | None = None,
        bpp: float | None = None,
        score: float | None = None,
        lossless: bool = False,
        effort: int = DEFAULT_EFFORT,
        fallback: bool = True,
    ) -> bytes:
        """Compress an array (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) of uint8: grey or RGB, with alpha or without.

        A Pillow image, or a picture file of another format (its path, or its bytes), is taken with its metadata.
        The rest as for :meth:`encode_picture`. Raises ImageError for what would be stored as other colours.
        """
        return self.encode_picture(
            images.picture_of(picture, deep=lossless),
            quality,
            target_size,
            bpp=bpp,
            score=score,
            lossless=lossless,
            effort=effort,
            fallback=fallback,
        )

    @untraced
    def decode(self, data: Source, /, max_pixels: int | None = MAX_PIXELS) -> Pixels:
        """Restore the array of a file, given as its bytes or its path.

        Raises a child of AecError for what is not an intact file of this model.
        """
        return images.to_array(self.decode_picture(data, max_pixels))

    @untraced
    def encode_picture(
        self,
        picture: Picture,
        quality: float | None = None,
        target_size: int | None = None,
        *,
        bpp: float | None = None,
        score: float | None = None,
        lossless: bool = False,
        effort: int = DEFAULT_EFFORT,
        fallback: bool = True,
        progress: Listener | None = None,
    ) -> bytes:
        """Compress a picture with its alpha and metadata.

        ``quality`` is 1..100, 60 unless something else is asked for. With ``target_size`` or ``bpp`` it is the best at
        which the file has at most that many bytes, or bits a pixel; LimitError where even quality 1 needs more. With
        ``score`` it is the lowest whose picture has that SSIMULACRA2 (30 low, 50 medium, 70 high, 90 hard to tell from
        the original), by the package of the extra ``score``; LimitError where quality 100 has less.
        With ``lossless`` every pixel is restored as it is, also below transparency, and no model is needed. Else the
        result is never larger than the lossless coding (PNG or WebP) of the picture, which takes its place then, unless
        ``fallback`` is False: to measure a model by itself. ``effort`` 0..9 is time taken to make the file smaller and
        the picture better, see :mod:`aecodec.effort`; decoding is the same. ``progress`` is told the share 0..1 of the
        model's work that is done, now and then, on any thread.
        Raises ValueError for values outside these ranges or goals that exclude each other, ImageError for a picture in
        colour or one too large, where the model is one of grey or of small pictures.
        """
        options = Options(quality, target_size, bpp, score, lossless, effort)
        if lossless:
            return pack(encode_lossless(picture, effort))
        if picture.depth > 8:
            raise ImageError("16 bits a sample, which only lossless coding keeps; convert it to 8 bits first")
        picture = picture.with_smooth_hidden_colours()
        target_bytes = options.target_bytes(picture.width * picture.height)
        steps = self.steps(effort)
        analysis, coding = stages(Stage.of(progress), steps, target_bytes is not None or score is not None)
        original = Original(self, picture.pixels[None], fallback, analysis)
        encoder = Encoder(self, original, frame_of(picture), steps)
        if target_bytes is not None:
            contents = encoder.within(target_bytes, coding)
        elif score is not None:
            contents = encoder.reaching(score, scorer(picture.pixels, lambda made: self._decode(made).pixels), coding)
        else:
            contents = encoder.at(hundredths(DEFAULT_QUALITY if quality is None else quality), stage=coding)
        del original, encoder  # nearly as large as the picture: room for the lossless coding
        if fallback and lossless_may_be_smaller(picture.pixels, contents.coded_bytes):
            plain = encode_lossless(picture)
            if len(pack(plain)) <= len(pack(contents)):
                contents = plain
        data = pack(contents)
        if target_bytes is not None and len(data) > target_bytes:
            raise LimitError(f"cannot reach {target_bytes} bytes; quality 1 needs {len(data)}")
        return data

    @untraced
    def decode_picture(self, data: Source, max_pixels: int | None = MAX_PIXELS) -> Picture:
        """Restore a picture with its alpha and metadata; errors as :meth:`decode`."""
        with named(data):
            return self._decode(parse(read_source(data), max_pixels))

    def _decode(self, contents: Contents, stage: Stage = UNWATCHED) -> Picture:
        header = contents.header
        if header.count is not None:
            raise FormatError(A_STACK)
        if header.coding == Coding.LOSSLESS:
            return decode_lossless(contents)
        self.check_model(header)
        coded = CodedLatents(contents.payload, contents.escapes, header.symbols_crc)
        coding, synthesis = stage.split(CODING, ANALYSIS)
        pixels = self.synthesise(self.read_latents(coded, 1, header, coding), header, synthesis)
        patches_of(contents).put(pixels)
        return picture_of(contents, pixels[0])

    def steps(self, effort: int) -> int:
        """Steps of refinement of an effort 0..9; they lower squared error.

        None, with an EffortWarning, where the model was not trained for that: they bring back the noise that a
        denoising one leaves out, and blur what one for the eye keeps.
        """
        steps, training = steps_of(effort), self.card.training
        if not training.denoising and training.distortion != "eye":
            return steps
        if steps:
            trained = "to leave out noise" if training.denoising else "for the eye"
            warnings.warn(
                f"effort {effort} changes nothing: the model {self.card.name} was trained {trained}, and effort lowers "
                "squared error",
                EffortWarning,
                stacklevel=2,
            )
        return 0

    # The steps of coding a batch of pictures of one size, for files of one picture and for stacks.

    def analyse(self, pixels: Pixels, stage: Stage = UNWATCHED) -> Int16:
        """Latents (N, h, w, M) of grey (N, H, W) or colour (N, H, W, 3) pixels. Raises ImageError."""
        height, width = pixels.shape[1:3]
        largest = self.transform.largest
        if largest is not None and max(height, width) > largest:
            limit = f"the model {self.card.name} is for pictures of up to {largest} x {largest}"
            raise ImageError(f"{width} x {height} pixels, and {limit}")
        return self.transform.analyse(self._with_colours(pixels), stage)

    def _with_colours(self, pixels: Pixels) -> Pixels:
        """Pixels (N, H, W, colours) as the networks want them."""
        grey = pixels.ndim == 3
        if self.card.config.colours == 1:
            if not grey:
                raise ImageError(f"in colour, and the model {self.card.name} is for grey pictures only")
            return pixels[..., None]
        return np.repeat(pixels[..., None], 3, axis=-1) if grey else pixels

    def synthesise(self, y: Int16, header: Header, stage: Stage = UNWATCHED) -> Pixels:
        """The inverse of :meth:`analyse`, but for what was lost."""
        if header.channels == 3 and self.card.config.colours == 1:
            raise FormatError(f"a colour picture, and the model {self.card.name} is for grey ones only")
        return _with_channels(self.transform.synthesise(y, header.height, header.width, stage), header.channels)

    def shown(self, y: Int16, channels: int) -> Show:
        """What the synthesis makes of parts of pictures, at its best: of latents (N, h, w, M) that are not rounded."""
        gain = self.transform.gains.at(hundredths(QUALITY_RANGE[1]))

        def show(picture: int, rows: slice, columns: slice) -> Pixels:
            latents = y[picture : picture + 1]
            part = self.transform.synthesise_part(
                latents, rows, columns, lambda y: gain.undo(gain.apply(y, PRIOR_BITS))
            )
            return np.asarray(_with_channels(part, channels)[0])

        return show

    def write_latents(
        self, y: Int16, quality_field: int, refinement: Refinement | None = None, stage: Stage = UNWATCHED
    ) -> CodedLatents:
        """Quantise and code latents (N, h, w, M) at a quality in hundredths, refined where that is asked for."""
        gains = self.transform.gains
        gain = gains.at(quality_field)
        z = self.transform.hyper_analyse(y, gain)
        if refinement is not None:
            refining, stage = stage.split(refinement.steps * REFINEMENT, CODING)
            y = self._refine(y, z, gain, quality_field, refinement, refining)
        tables = self.prior.tables_at(gains.position(quality_field))
        coded, exceptions = self._coded(y, gain, z, tables, stage)
        if exceptions:
            # Of hyper latents beyond all that training saw, predictions can be far off, and certain to be right.
            other, _ = self._coded(y, gain, tables.covered(z), tables)
            coded = min(coded, other, key=lambda each: len(each.payload) + len(each.escapes))
        return coded

    def _coded(
        self, y: Int16, gain: Gain, z: Int16, tables: Tables, stage: Stage = UNWATCHED
    ) -> tuple[CodedLatents, int]:
        """Coded latents, and how many of them are exceptions."""
        writer = latents.Writer(self.prior, tables, y, gain, z)
        count, height, width, _ = y.shape
        latents.code(self.prior, writer, gain, count, height, width, stage)
        return CodedLatents(*writer.finish(), writer.crc), writer.exceptions

    def read_latents(self, coded: CodedLatents, count: int, header: Header, stage: Stage = UNWATCHED) -> Int16:
        """The inverse of :meth:`write_latents`. Raises DecodeError and FormatError."""
        gains = self.transform.gains
        tables = self.prior.tables_at(gains.position(header.quality))
        reader = latents.Reader(tables, coded.payload, coded.escapes)
        grid = self.transform.grid(header.height, header.width)
        y = latents.code(self.prior, reader, gains.at(header.quality), count, *grid, stage)
        reader.finish()
        if reader.crc != coded.crc:
            raise DecodeError("decoded symbols are not those that were encoded")
        return y

    def _refine(
        self, y: Int16, z: Int16, gain: Gain, quality_field: int, refinement: Refinement, stage: Stage
    ) -> Int16:
        try:
            from aecodec.refinement import Task
        except ModuleNotFoundError as error:
            raise missing_extra(error, "effort above 0") from error
        q = self.transform.gains.position(quality_field) / 2**POSITION_BITS
        return self._refiner(y, Task(self._with_colours(refinement.pixels), z, gain, q, refinement.steps), stage)

    @cached_property
    def _refiner(self) -> Refiner:
        from aecodec.refinement import Refiner

        return Refiner(self.card.config, self.weights.arrays)

    def check_model(self, header: Header) -> None:
        """Raise ModelError where a file was made with another model."""
        if header.model_id != self.id:
            raise ModelError(f"the file was made with model {header.model_id.hex()}, this is {self.id.hex()}")


def _with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Pixels (N, H, W, colours) of the networks as pictures have them."""
    if channels == 3:
        return pixels
    return _as_grey(pixels) if pixels.shape[-1] == 3 else pixels[..., 0]


def _as_grey(pixels: Pixels) -> Pixels:
    total = pixels.sum(axis=-1, dtype=np.uint16)
    return np.asarray((total + 1) // 3, np.uint8)


@lru_cache(maxsize=8)
def _load(path: Path, stamp: tuple[int, int]) -> Codec:
    return Codec(weights.load_weights(path))


@untraced
def load_codec(model: Model = DEFAULT_MODEL) -> Codec:
    """The codec of an installed model's name or of a weights file's path. Raises ModelError."""
    return _load_path(weights.find(model))


def _load_path(path: Path) -> Codec:
    return _load(path.resolve(), weights.stamp(path))


@untraced
def decode_picture(
    data: Source,
    models: Model | Iterable[Model] = (),
    max_pixels: int | None = MAX_PIXELS,
    *,
    progress: Listener | None = None,
) -> Picture:
    """Restore a picture with the model that its file names, looked for among ``models`` and the installed ones.

    ``data`` is the bytes of a file or its path, ``progress`` as for :meth:`Codec.encode_picture`; errors as
    :meth:`Codec.decode`.
    """
    with named(data):
        contents = parse(read_source(data), max_pixels)  # damage first: it is not the model's fault
        if contents.header.count is not None:
            raise FormatError(A_STACK)
        if contents.header.coding == Coding.LOSSLESS:
            return decode_lossless(contents)
        return codec_for(contents.header, models)._decode(contents, Stage.of(progress))


def codec_for(header: Header, models: Model | Iterable[Model] = ()) -> Codec:
    """The codec of the model that a file names. Raises ModelError where it is not at hand."""
    return _load_path(weights.find_by_id(header.model_id, [weights.find(model) for model in each(models)]))


@untraced
def encode(
    picture: AnyPicture,
    /,
    quality: float | None = None,
    model: Model = DEFAULT_MODEL,
    *,
    target_size: int | None = None,
    bpp: float | None = None,
    score: float | None = None,
    lossless: bool = False,
    effort: int = DEFAULT_EFFORT,
    fallback: bool = True,
) -> bytes:
    """Compress an array of pixels, a Pillow image or a picture file; see :meth:`Codec.encode`."""
    if lossless:
        Options(quality, target_size, bpp, score, lossless, effort)
        return pack(encode_lossless(images.picture_of(picture, deep=True), effort))
    return load_codec(model).encode(
        picture, quality, target_size=target_size, bpp=bpp, score=score, effort=effort, fallback=fallback
    )


@untraced
def decode(data: Source, /, models: Model | Iterable[Model] = (), max_pixels: int | None = MAX_PIXELS) -> Pixels:
    """Restore an array of pixels from any file whose model is at hand; errors as :meth:`Codec.decode`.

    The array is (H, W) or (H, W, 3), with alpha (H, W, 2) or (H, W, 4), of uint8, or of uint16 where that was stored.
    """
    return images.to_array(decode_picture(data, models, max_pixels))
