"""Very many pictures: nothing is lost, nothing is done twice, and results are those of one picture by itself."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from aecodec.cluster.bulk import run
from aecodec.cluster.coding import Compression, Decompression
from aecodec.cluster.outputs import Layout
from aecodec.cluster.storage import shown
from aecodec.cluster.worker import Job, Summary
from aecodec.codec import Codec, decode
from aecodec.errors import ImageError, OutputError
from aecodec.options import Options
from tests.commands import listing
from tests.conftest import TINY
from tests.training_data import tiles

COMPRESSION = Compression(TINY.read_bytes(), Options(50))
PICTURES = {f"{folder}/{i}.png": tile for i, (folder, tile) in enumerate(zip("aabb", tiles(4, 24), strict=True))}


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def folder(here: Path) -> Path:
    """Four pictures in two folders, and what is no picture."""
    for name, pixels in PICTURES.items():
        path = here / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    (here / "in" / "bad.png").write_bytes(b"no picture")
    (here / "in" / "notes.md").write_bytes(b"not asked for")
    return here / "in"


def compress(source: object, output: str, **options: Any) -> list[Summary]:
    layout = Layout(options.pop("layout", Layout.FOLDER))
    job = Job(options.pop("settings", COMPRESSION), output, layout, options.pop("overwrite", False))
    return list(run(job, [str(source)], recursive=True, size=2, **options))


def manifest(output: str) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in pq.read_table(f"{output}/_manifest").to_pylist()}


def results(output: str) -> set[str]:
    return {name for name in listing(Path(output)) if not name.startswith("_manifest")}


def test_a_folder_is_mirrored_byte_for_byte(folder: Path, tiny: Codec) -> None:
    summaries = compress(folder, "out")
    assert results("out") == {name.replace("png", "aec") for name in PICTURES}
    for name, pixels in PICTURES.items():
        assert Path("out", name.replace("png", "aec")).read_bytes() == tiny.encode(pixels, 50)
    assert (sum(s.done for s in summaries), sum(s.failed for s in summaries)) == (4, 1)


def test_the_manifest_tells_of_every_input(folder: Path) -> None:
    compress(folder, "out")
    rows = manifest("out")
    assert set(rows) == {*PICTURES, "bad.png"}
    good = rows["b/2.png"]
    size = Path("out/b/2.aec").stat().st_size
    assert (good["target"], good["bytes"], good["width"], good["height"]) == ("b/2.aec", size, 24, 24)
    assert good["error"] is None and good["source_bytes"] == (folder / "b/2.png").stat().st_size
    bad = rows["bad.png"]
    assert bad["target"] is None and "not a picture" in str(bad["error"]) and bad["source"] == str(folder / "bad.png")


def test_a_second_run_does_only_what_is_left(folder: Path) -> None:
    compress(folder, "out")
    (folder / "bad.png").write_bytes(png(PICTURES["a/0.png"]))
    (folder / "new.png").write_bytes(png(PICTURES["a/1.png"]))
    times = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.aec")}
    assert sum(summary.done for summary in compress(folder, "out")) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert {row["error"] for row in manifest("out").values()} == {None}
    assert compress(folder, "out") == []


@pytest.mark.parametrize("layout", Layout)
def test_what_a_killed_run_had_not_noted_down_is_done_again_to_the_same_end(folder: Path, layout: Layout) -> None:
    compress(folder, "out", layout=layout)
    whole = {name: Path("out", name).read_bytes() for name in results("out")}
    rows = manifest("out")
    part = next(path for path in Path("out/_manifest").glob("part-*") if pq.read_table(path).num_rows == 2)
    part.unlink()
    compress(folder, "out", layout=layout)
    assert {name: Path("out", name).read_bytes() for name in results("out")} == whole
    assert manifest("out") == rows


def test_a_shard_of_a_killed_run_is_removed_where_its_pictures_go_elsewhere(folder: Path) -> None:
    compress(folder, "out", layout="tar")
    for part in Path("out/_manifest").glob("part-*"):
        part.unlink()
    (folder / "a/0.png").unlink()
    compress(folder, "out", layout="tar")
    names: list[str] = []
    for path in Path("out").glob("*.tar"):
        with tarfile.open(path) as shard:
            names += shard.getnames()
    assert sorted(names) == ["a/1.aec", "b/2.aec", "b/3.aec"]


def test_files_of_others_are_not_overwritten(folder: Path) -> None:
    Path("out/a").mkdir(parents=True)
    Path("out/a/0.aec").write_bytes(b"mine")
    assert any("exists already" in failure for summary in compress(folder, "out") for failure in summary.failures)
    assert Path("out/a/0.aec").read_bytes() == b"mine"
    compress(folder, "out", overwrite=True)
    assert Path("out/a/0.aec").read_bytes() != b"mine"


def test_a_run_does_not_go_on_with_other_options(folder: Path) -> None:
    compress(folder, "out")
    with pytest.raises(OutputError, match="other options"):
        compress(folder, "out", settings=Compression(TINY.read_bytes(), Options(20)))
    with pytest.raises(OutputError, match="other options"):
        compress(folder, "out", layout="tar")


def test_there_and_back(folder: Path, tiny: Codec) -> None:
    compress(folder, "out")
    compress("out", "back", settings=Decompression((TINY.read_bytes(),)))
    assert results("back") == set(PICTURES)
    with Image.open("back/a/0.png") as image:
        assert np.array_equal(np.asarray(image), tiny.decode(Path("out/a/0.aec").read_bytes()))


def test_pictures_that_differ_in_their_suffix_keep_it(folder: Path) -> None:
    Image.fromarray(PICTURES["a/0.png"]).save(folder / "a/0.webp")
    compress(folder, "out")
    assert {"a/0.png.aec", "a/0.webp.aec", "a/1.aec"} <= results("out")


def test_globs_and_lists(folder: Path) -> None:
    compress("in/*/[02].png", "globbed")
    assert results("globbed") == {"a/0.aec", "b/2.aec"}
    Path("list.txt").write_text(f"{folder}/a/0.png\n\n{folder}/gone.png\n")
    failures = [failure for summary in compress("list.txt", "listed") for failure in summary.failures]
    assert results("listed") == {f"{folder}/a/0.aec".lstrip("/")}
    assert len(failures) == 1 and "gone.png: cannot read" in failures[0]
    with pytest.raises(ImageError, match="-r takes the files below it"):
        list(run(Job(COMPRESSION, "out"), ["in"]))


def add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    shard.addfile(entry, io.BytesIO(data))


def test_webdataset_shards_keep_their_labels(here: Path, tiny: Codec) -> None:
    pixels = PICTURES["a/0.png"]
    with tarfile.open("train-0.tar", "w") as shard:
        add(shard, "x/1.png", png(pixels))
        add(shard, "x/1.cls", b"7")
    compress("train-0.tar", "out", layout="tar")
    with tarfile.open("out/train-0.tar") as shard:
        assert shard.getnames() == ["x/1.aec", "x/1.cls"]
        label, coded = shard.extractfile("x/1.cls"), shard.extractfile("x/1.aec")
        assert label is not None and label.read() == b"7"
        assert coded is not None and coded.read() == tiny.encode(pixels, 50)
    assert compress("train-0.tar", "out", layout="tar") == []
    compress("train-0.tar", "unpacked")
    assert results("unpacked") == {"train-0/x/1.aec"}


def test_names_in_shards_do_not_lead_out_of_the_output(here: Path) -> None:
    with tarfile.open("evil.tar", "w") as shard:
        add(shard, "../../escaped.png", png(PICTURES["a/0.png"]))
    (summary,) = compress("evil.tar", "deep/out")
    assert summary.failed == 1 and "leads out" in summary.failures[0]
    assert not list(here.rglob("escaped*"))


@pytest.mark.parametrize("structured", [False, True])
def test_parquet(here: Path, tiny: Codec, structured: bool) -> None:
    data = [png(pixels) for pixels in PICTURES.values()]
    column = [{"bytes": each, "path": None} for each in data] if structured else data
    pq.write_table(pa.table({"label": [1, 2, 3, 4], "image": column}), "set.parquet")
    compress("set.parquet", "out", layout="parquet")
    rows = pq.read_table("out").to_pylist()
    assert [decode(row["data"], [TINY]).tolist() for row in rows] == [
        tiny.decode(tiny.encode(pixels, 50)).tolist() for pixels in PICTURES.values()
    ]
    assert [row["name"] for row in rows] == [f"set/{i:08d}" for i in range(4)]


def test_a_damaged_shard_does_not_stop_the_others(folder: Path) -> None:
    (folder / "a/cut.tar").write_bytes(b"no archive")
    (failed,) = [summary for summary in compress(folder, "out") if summary.chunk.startswith("shard")]
    assert failed.failed == 1 and "cut.tar" in failed.failures[0]
    assert len(results("out")) == 4


def test_quality_in_the_manifest_if_asked(folder: Path) -> None:
    compress(folder, "out", settings=Compression(TINY.read_bytes(), psnr=True))
    value = manifest("out")["a/0.png"]["psnr"]
    assert isinstance(value, float) and 15 < value < 60


def test_no_secret_is_shown() -> None:
    assert shown("https://me:secret@host/a.png?X-Amz-Signature=secret#secret") == "https://host/a.png"
