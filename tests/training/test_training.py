"""Training: the loop learns, resumes where it was, and what it exports is a codec that keeps the model's promise."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from aecodec.codec import load_codec
from aecodec.errors import DataError, ModelError, OutputError
from aecodec.networks.fixed_point import fractions
from aecodec.networks.model import Model
from aecodec.training.bfloat16 import Bfloat16Gradients
from aecodec.training.checkpoint import load_checkpoint
from aecodec.training.data import Crops, find_pictures, load_pictures, split
from aecodec.training.export import export
from aecodec.training.initialize import initialize
from aecodec.training.loop import FINE_TUNING, Trainer, TrainOptions
from aecodec.training.objective import rate_distortion
from aecodec.training.optimizer import orthogonalize
from aecodec.training.pictures import TrainingPicture
from aecodec.training.preparation import Job
from aecodec.training.run import train_folder
from aecodec.training.validation import codec_of
from tests.training_data import SMALL as TINY
from tests.training_data import trained

OPTIONS = TrainOptions(minutes=None, steps=8, batch=4, crop=64, workers=1, warm_up=2, log_every=2)


@pytest.fixture(scope="module")
def crops() -> Crops:
    sources = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return Crops([TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)], 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six small pictures."""
    result = tmp_path / "pictures"
    result.mkdir()
    for i in range(6):
        Image.fromarray(skimage.data.astronaut()[40 * i : 40 * i + 160, 100:300]).save(result / f"{i}.png")
    return result


def advance(trainer: Trainer, steps: int) -> list[float]:
    with ThreadPoolExecutor(trainer.options.workers) as executor:
        return [float(trainer.step(executor).loss.mean()) for _ in range(steps)]


def loss_of(model: Model, crops: Crops) -> float:
    pixels, q = crops.batch(10_000, 16)
    with torch.no_grad():
        terms = rate_distortion(model, torch.from_numpy(pixels), torch.from_numpy(q), torch.Generator().manual_seed(0))
    return float(terms.loss.mean())


def test_the_klt_start_restores_pictures(crops: Crops) -> None:
    torch.manual_seed(0)
    model = Model(replace(TINY, channels=192, latent_channels=256))
    pixels = torch.from_numpy(crops.batch(0, 64)[0])
    initialize(model, pixels)
    with torch.no_grad():
        terms = rate_distortion(model, pixels, torch.ones(64), torch.Generator().manual_seed(0))
    assert 10 * np.log10(255**2 / float(terms.mse.mean())) > 28


def test_gradients_by_bfloat16_products_leave_the_loss_exact(crops: Crops) -> None:
    torch.manual_seed(0)
    model = Model(TINY)
    pixels, q = (torch.from_numpy(array) for array in crops.batch(0, 4))
    initialize(model, pixels)

    def gradients(mode: AbstractContextManager[object]) -> tuple[Tensor, tuple[Tensor, ...]]:
        with mode:
            loss = rate_distortion(model, pixels, q, torch.Generator().manual_seed(0)).loss.sum()
        return loss, torch.autograd.grad(loss, list(model.parameters()))

    loss, exact = gradients(nullcontext())
    same, rounded = gradients(Bfloat16Gradients())
    assert torch.equal(loss, same)
    differences = [float((a - b).norm() / b.norm()) for a, b in zip(rounded, exact, strict=True) if b.norm() > 0]
    assert 0 < max(differences) < 0.02


def test_training_lowers_the_loss(crops: Crops, tmp_path: Path) -> None:
    trainer = Trainer(replace(OPTIONS, steps=150), crops, TINY, tmp_path / "c.safetensors")
    before = loss_of(trainer.model, crops)
    advance(trainer, 150)
    after = loss_of(trainer.averaged_model(), crops)
    assert after < 0.98 * before  # the KLT start is good, and so small a model cannot become much better


def test_a_resumed_run_is_the_uninterrupted_one(crops: Crops, tmp_path: Path) -> None:
    whole = Trainer(OPTIONS, crops, TINY, tmp_path / "whole.safetensors")
    advance(whole, 6)
    part = Trainer(OPTIONS, crops, TINY, tmp_path / "part.safetensors")
    advance(part, 3)
    part.save()
    resumed = Trainer(OPTIONS, crops, TINY, tmp_path / "part.safetensors")
    assert resumed.progress.step == 3
    advance(resumed, 3)
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, dict(resumed.model.named_parameters())[name]), name
        assert torch.equal(whole.average[name], resumed.average[name]), name


def test_a_model_trained_before_moves_less_also_after_a_resume(crops: Crops, tmp_path: Path) -> None:
    new = Trainer(OPTIONS, crops, TINY, tmp_path / "new.safetensors")
    tuned = Trainer(OPTIONS, crops, TINY, tmp_path / "tuned.safetensors", start=Model(TINY))
    assert tuned.rate() == pytest.approx(FINE_TUNING * new.rate())
    tuned.save()
    resumed = Trainer(OPTIONS, crops, TINY, tmp_path / "tuned.safetensors")
    assert resumed.rate() == pytest.approx(tuned.rate())
    faster = Trainer(replace(OPTIONS, rate_factor=0.2), crops, TINY, tmp_path / "tuned.safetensors")
    assert faster.rate() == pytest.approx(0.2 * new.rate())


def test_workers_share_one_batch(crops: Crops, tmp_path: Path) -> None:
    one, two = (
        Trainer(replace(OPTIONS, workers=workers), crops, TINY, tmp_path / f"{workers}.safetensors")
        for workers in (1, 2)
    )
    assert advance(two, 1)[0] == pytest.approx(advance(one, 1)[0], rel=0.05)  # only the noise differs


def test_a_kill_while_saving_leaves_the_last_checkpoint(
    crops: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(OPTIONS, crops, TINY, tmp_path / "c.safetensors")
    advance(trainer, 1)
    trainer.save()
    advance(trainer, 1)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aecodec.files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        trainer.save()
    assert load_checkpoint(tmp_path / "c.safetensors")[3].step == 1


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match=r"c\.safetensors"):
        load_checkpoint(path)


def test_the_coder_keeps_the_bound(crops: Crops, tmp_path: Path) -> None:
    """Real files need no more than the float networks promise: tables fitted to the symbols can only be better."""
    trainer = Trainer(replace(OPTIONS, steps=150), crops, TINY, tmp_path / "c.safetensors")
    advance(trainer, 150)
    model = trainer.averaged_model()
    pixels = torch.from_numpy(skimage.data.astronaut()[None, :448, :448].copy())
    with torch.no_grad():
        promised = [
            float(rate_distortion(model, pixels, torch.tensor([0.6]), torch.Generator().manual_seed(i)).bpp)
            for i in range(4)
        ]
    codec = codec_of(export(model, torch.from_numpy(crops.batch(0, 16)[0])), TINY)
    bits = 8 * len(codec.encode(pixels[0].numpy(), 1 + 99 * 0.6)) / 448**2
    assert 0.9 * np.mean(promised) < bits < 1.02 * np.mean(promised)


def test_muon_makes_matrices_nearly_orthogonal() -> None:
    values = torch.linalg.svdvals(orthogonalize(torch.randn(20, 50, generator=torch.Generator().manual_seed(0))))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.5


def test_large_folders_do_not_drown_small_ones() -> None:
    pixels = skimage.data.astronaut()
    pictures = [TrainingPicture(Path(f"many/{i}.png"), pixels) for i in range(100)]
    weight = Crops([*pictures, TrainingPicture(Path("few/0.png"), pixels)], 64).weight
    assert weight[-1] == pytest.approx(10 * weight[0])


def test_crops_of_small_pictures_are_padded() -> None:
    batch, q = Crops([TrainingPicture(Path("a/b.png"), skimage.data.astronaut()[:70, :90])], 128).batch(3, 5)
    assert batch.shape == (5, 128, 128, 3)
    assert q.min() >= 0
    assert q.max() <= 1


def test_unusable_pictures_are_left_out_and_reported_with_the_cause(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (10, 7)).save(folder / "small.png")
    Image.fromarray(np.full((64, 64), 40_000, np.uint16)).save(folder / "deep.png")  # all white, if just converted
    messages: list[str] = []
    assert len(load_pictures(find_pictures(folder), messages.append)) == 6
    assert messages == [
        f"left out: {folder / 'bad.png'}: not a picture of a known format",
        f"left out: {folder / 'deep.png'}: 16 bits a sample; convert it to 8 bits first, for example with: "
        "magick IN -depth 8 OUT",
        f"left out: {folder / 'small.png'}: smaller than 8 pixels",
    ]


def test_a_folder_too_large_for_memory_is_thinned_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = find_pictures(folder)
    everything = load_pictures(paths)
    monkeypatch.setattr("aecodec.training.data.MEMORY", sum(picture.pixels.nbytes for picture in everything) // 2)
    messages: list[str] = []
    assert [picture.path for picture in load_pictures(paths, messages.append)] == paths[::2]
    assert messages[0].startswith("6 pictures would take ")
    assert "3 from all over are used" in messages[0]


def test_parts_with_smaller_activations_have_more_fractional_bits(crops: Crops) -> None:
    model, pixels = Model(TINY), torch.from_numpy(crops.batch(0, 4)[0])
    initialize(model, pixels)
    same = fractions(export(model, pixels))
    with torch.no_grad():
        model.get_parameter(f"analysis.{2 + TINY.analysis_blocks}.weight").mul_(16)
    other = fractions(export(model, pixels))
    assert other["analysis"] < same["analysis"]
    assert other["analysis_fine"] == same["analysis_fine"]


def test_too_few_pictures() -> None:
    with pytest.raises(DataError, match="at least"):
        split([TrainingPicture(Path("a.png"), np.zeros((64, 64, 3), np.uint8))], 0.1)


def test_a_folder_becomes_a_codec(folder: Path, tmp_path: Path) -> None:
    """The whole run: train, resume, log, export, compress with the result."""
    job = Job(folder, tmp_path / "mine.safetensors", tmp_path / "run", name="mine", licence="CC0-1.0")
    messages: list[str] = []
    card = trained(job, replace(OPTIONS, steps=4), TINY, report=messages.append)
    assert (card.training.steps, card.name, card.licence) == (4, "mine", "CC0-1.0")
    assert any("validation" in message for message in messages)
    assert any(message.startswith("This model is worse than the photo model") for message in messages)
    assert any(message.startswith("--init photo would suit these pictures") for message in messages)
    card = trained(job, OPTIONS, TINY, resume=True, report=messages.append)
    assert card.training.steps == 8
    codec = load_codec(job.output)
    assert codec.id.hex() == card.id
    pixels = skimage.data.astronaut()[:100, :120]
    assert codec.decode(codec.encode(pixels, 50)).shape == pixels.shape
    records = [json.loads(line) for line in (job.folder / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if "loss" in r] == [2, 4, 6, 8]
    assert any("points" in r for r in records)
    assert (job.folder / "progress.png").stat().st_size > 1000


def test_a_run_may_end_with_its_checkpoint(folder: Path, tmp_path: Path) -> None:
    """As where the machine that trains is paid by the minute."""
    job = Job(folder, tmp_path / "mine.safetensors", tmp_path / "run", finish=False)
    options = replace(OPTIONS, steps=2)
    assert train_folder(job, options, TINY, report=lambda line: None) is None
    assert not job.output.exists()
    card = trained(replace(job, finish=True), options, TINY, resume=True)
    assert card.training.steps == 2
    assert job.output.exists()


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_is_neither_overwritten_nor_invented(folder: Path, tmp_path: Path, resume: bool) -> None:
    job = Job(folder, tmp_path / "mine.safetensors", tmp_path / "run")
    if not resume:
        train_folder(job, replace(OPTIONS, steps=1), TINY)
    with pytest.raises((DataError, OutputError), match=r"checkpoint\.safetensors"):
        train_folder(job, OPTIONS, TINY, resume=resume)
