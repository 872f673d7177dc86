"""How the golden files were made. From format 1.0 on they are never made again: later versions decode these very bytes.

``python tests/golden/make.py FOLDER`` trains the models that are not in FOLDER on pictures of scikit-image, and codes
the golden pictures with them: ``tiny`` in two steps, ``steps`` in three, ``connected`` with fully connected layers.
"""

from __future__ import annotations

import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data
import torch

from aecodec.card import Card, TrainingRecord
from aecodec.codec import load_codec
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig
from aecodec.pictures.images import Picture
from aecodec.stack import decode_stack, encode_stack
from aecodec.training.data import Crops
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions, run
from aecodec.training.pictures import TrainingPicture
from aecodec.weights import save_weights

TINY = ConvolutionalConfig(
    channels=16,
    latent_channels=32,
    analysis_blocks=1,
    synthesis_blocks=1,
    hyper_channels=8,
    hyper_width=16,
    context_width=16,
)
CONNECTED = FullyConnectedConfig(
    latent_channels=16, hyper_channels=4, hyper_width=8, context_width=16, block=8, layers=1, nodes=32
)
MODELS: dict[str, tuple[SharedConfig, int]] = {
    "tiny": (TINY, 1500),
    "steps": (replace(TINY, coding_steps=3), 60),
    "connected": (CONNECTED, 60),
}


def pictures() -> dict[str, Picture]:
    """The golden pictures: small, and of every kind."""
    photo = skimage.data.chelsea()[20:148, 80:272]
    grey = skimage.data.camera()[100:180, 200:290]
    alpha = np.linspace(0, 255, 40 * 50).reshape(40, 50).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    return {
        "photo": Picture(photo),
        "grey": Picture(grey),
        "alpha": Picture(skimage.data.coffee()[200:240, 300:350], alpha, icc=b"icc", exif=b"exif", xmp=b"xmp"),
        "tiny": Picture(photo[:1, :1]),
        "noise": Picture(noise),
        "flat": Picture(np.full((70, 33, 3), 200, np.uint8)),
        "wide": Picture(skimage.data.astronaut()[250:255]),
        "patches": Picture(_with_checks(photo)),
    }


def _with_checks(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A part of a photograph, and chequered pixels in it that no model shows."""
    pixels = photo[:70, :90].copy()
    pixels[20:45, 60:90] = 255 * (np.indices((25, 30)).sum(0) % 2)[..., None]
    return pixels


def stack() -> npt.NDArray[np.uint8]:
    """Pictures of one size (5, 30, 44, 3)."""
    return np.stack([skimage.data.coffee()[30 * i : 30 * i + 30, 200:244] for i in range(5)])


def train(path: Path, config: SharedConfig, steps: int) -> None:
    """A small model."""
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    training = [TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)]
    crops = Crops(training, 64)
    options = TrainOptions(minutes=None, steps=steps, crop=64, workers=1, warm_up=20, average_decay=0.98)
    checkpoint = path.with_suffix(".checkpoint")
    trainer = Trainer(options, crops, config, checkpoint)
    run(trainer, lambda record: None, lambda: None)
    checkpoint.unlink()
    arrays = export(trainer.averaged_model(), torch.from_numpy(crops.batch(0, 16)[0]))
    record = TrainingRecord("scikit-image's pictures", 4, 0, steps)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    save_weights(path, Card(path.stem, config, parameters, record, "Apache-2.0"), arrays)


def main(folder: Path) -> None:
    expected = {}
    for name, (config, steps) in MODELS.items():
        path = folder / f"{name}.safetensors"
        if not path.exists():
            train(path, config, steps)
        codec = load_codec(path)
        chosen = pictures() if name == "tiny" else {name: pictures()["photo"]}
        files = {each: (name, codec.encode_picture(picture, 70)) for each, picture in chosen.items()}
        if name == "tiny":
            files["stack"] = name, encode_stack(stack(), 70, codec)
        for each, (model, data) in files.items():
            (folder / f"v1-{each}.aec").write_bytes(data)
            pixels = decode_stack(data, models=[path]) if each == "stack" else codec.decode_picture(data).pixels
            crc = zlib.crc32(pixels.tobytes())
            expected[each] = {"model": model, "bytes": len(data), "shape": pixels.shape, "crc": crc}
    (folder / "v1.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
