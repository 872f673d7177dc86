"""How the golden files were made. They are never made again: later versions must decode these very bytes.

``python tests/golden/make.py FOLDER`` trains the tiny model ``tiny.safetensors`` on pictures of scikit-image and
codes the golden pictures with it into FOLDER.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import skimage.data

from aecodec.card import Card, TrainingRecord
from aecodec.codec import Codec
from aecodec.format.container import parse_header
from aecodec.networks.config import ConvolutionalConfig
from aecodec.pictures.images import Picture
from aecodec.training.data import Crops, TrainingPicture
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions, run
from aecodec.weights import Weights, load_weights, save_weights

TINY = ConvolutionalConfig(
    channels=16,
    latent_channels=32,
    analysis_blocks=1,
    synthesis_blocks=1,
    hyper_channels=8,
    hyper_width=16,
    context_width=16,
)


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
    }


def train(folder: Path, steps: int) -> Weights:
    """A tiny model of a few hundred steps."""
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    training = [TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)]
    crops = Crops(training, 64)
    options = TrainOptions(minutes=None, steps=steps, crop=64, workers=1, warm_up=20, average_decay=0.98)
    trainer = Trainer(options, crops, TINY, folder / "checkpoint.safetensors")
    run(trainer, lambda record: None, lambda: None)
    import torch

    arrays = export(trainer.averaged_model(), torch.from_numpy(crops.batch(0, 16)[0]))
    record = TrainingRecord("scikit-image's pictures", 4, 0, steps)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    path = folder / "tiny.safetensors"
    save_weights(path, Card("tiny", TINY, parameters, record, "Apache-2.0"), arrays)
    return load_weights(path)


def main(folder: Path) -> None:
    codec = Codec(train(folder, 1500))
    (folder / "checkpoint.safetensors").unlink()
    expected = {}
    for name, picture in pictures().items():
        data = codec.encode_picture(picture, 70)
        (folder / f"v1-{name}.aec").write_bytes(data)
        decoded = codec.decode_picture(data)
        np.save(folder / f"v1-{name}.npy", replace(decoded).pixels)
        expected[name] = {"symbols_crc": parse_header(data).symbols_crc, "bytes": len(data)}
    (folder / "v1.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
