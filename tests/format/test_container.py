"""The container: what is written is read back, and nothing else is."""

import inspect
import io
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aecodec.errors import (
    AecError,
    ChecksumError,
    FormatError,
    LimitError,
    TruncatedError,
    UnsupportedVersion,
)
from aecodec.format import container
from aecodec.format.container import (
    CELL,
    HEADER_BYTES,
    MAGIC,
    MAX_PIXELS,
    MAX_VARINT,
    NEGLIGIBLE_PIXELS,
    Coding,
    Contents,
    Header,
    Tag,
    check_pixels,
    intact,
    pack,
    parse,
    parse_header,
    read_outline,
    section_sizes,
)

SPECIFICATION = inspect.getdoc(container) or ""
MODEL_ID = bytes.fromhex("A1A2A3A4A5A6A7A8A9AAABACADAEAFB0")
PHOTO = Header(768, 512, 3, Coding.LATENTS, 6000, MODEL_ID, 0x0A0B0C0D)
SMALL = Contents(Header(300, 200, 3, Coding.LATENTS, 6000, MODEL_ID, 0x0A0B0C0D), b"\1\2\3")
FULL = replace(SMALL, payload=bytes(200), escapes=b"\x80\1", alpha=b"png", icc=b"icc", exif=b"exif", xmp=b"<xmp/>")
LOSSLESS = Contents(Header(3, 2, 1, Coding.LOSSLESS), b"a PNG file")
EXAMPLES = [SMALL, FULL, LOSSLESS]

LATENTS_HEAD = MAGIC + bytes.fromhex("01 01 05 06 7017 A1A2A3A4A5A6A7A8A9AAABACADAEAFB0 0D0C0B0A")
LOSSLESS_HEAD = MAGIC + bytes.fromhex("01 02 05 06")
PAYLOAD = b"\1\3abc"
END = b"\0"


def seal(body: bytes) -> bytes:
    """Close hand-made bytes with the right checksum, so that only the rule in question is broken."""
    return body + zlib.crc32(body).to_bytes(4, "little")


@st.composite
def headers(draw: st.DrawFn) -> Header:
    side = st.one_of(st.integers(1, 300), st.integers(1, MAX_VARINT))
    width, height, channels = draw(side), draw(side), draw(st.sampled_from([1, 3]))
    count = draw(st.none() | st.integers(1, 1000) | st.just(MAX_VARINT))
    if draw(st.booleans()):
        depth = draw(st.sampled_from([8, 16])) if count is None else 8
        return Header(width, height, channels, Coding.LOSSLESS, count=count, depth=depth)
    quality, model_id = draw(st.integers(100, 10_000)), draw(st.binary(min_size=16, max_size=16))
    return Header(width, height, channels, Coding.LATENTS, quality, model_id, draw(st.integers(0, 2**32 - 1)), count)


@st.composite
def all_contents(draw: st.DrawFn) -> Contents:
    header = draw(headers())
    escapes = b"" if header.coding == Coding.LOSSLESS else draw(st.binary())
    alpha, icc, exif, xmp, iptc, chunks = (draw(st.none() | st.binary(min_size=1, max_size=300)) for _ in range(6))
    if header.count is not None:
        alpha = None
    payload = draw(st.binary(max_size=300))
    return Contents(header, payload, escapes, alpha, icc, exif, xmp, index_of(header), iptc, chunks)


def index_of(header: Header) -> bytes | None:
    return b"index" if header.count is not None and header.coding == Coding.LATENTS else None


# Round trips


@given(all_contents())
def test_what_is_packed_is_parsed(contents: Contents) -> None:
    data = pack(contents)
    assert parse(data, max_pixels=None) == contents
    assert parse_header(data) == contents.header
    assert intact(data)


@given(headers())
def test_the_first_bytes_are_enough_for_the_header(header: Header) -> None:
    data = pack(Contents(header, bytes(100), index=index_of(header)))
    assert parse_header(data[:HEADER_BYTES]) == header


@given(all_contents())
def test_the_outline_says_where_sections_are(contents: Contents) -> None:
    data = pack(contents)
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    outline = read_outline(file)
    assert outline.header == contents.header
    assert {tag: length for tag, (_, length) in outline.sections.items()} == section_sizes(data)
    for tag, body in ((Tag.PAYLOAD, contents.payload), (Tag.EXIF, contents.exif), (Tag.CHUNKS, contents.chunks)):
        if body:
            offset, length = outline.sections[tag]
            assert file.getvalue()[offset : offset + length] == body
    for length in range(len(data)):
        with pytest.raises(FormatError):
            read_outline(io.BytesIO(data[:length]))


def test_longest_header_has_header_bytes() -> None:
    header = replace(PHOTO, width=MAX_VARINT, height=MAX_VARINT, count=MAX_VARINT)
    data = pack(Contents(header, b"", index=b"index"))
    parse_header(data[:HEADER_BYTES])
    with pytest.raises(TruncatedError):
        parse_header(data[: HEADER_BYTES - 1])


def test_empty_metadata_are_not_written() -> None:
    empty = replace(SMALL, alpha=b"", icc=b"", exif=b"", xmp=b"", iptc=b"", chunks=b"")
    assert pack(empty) == pack(SMALL)


@pytest.mark.parametrize("escapes", [b"", bytes(100)])
def test_overhead_of_a_photo_is_at_most_45_bytes(escapes: bytes) -> None:
    data = pack(Contents(PHOTO, bytes(50_000), escapes))
    assert len(data) - 50_000 - len(escapes) <= 45


def test_section_sizes() -> None:
    data = pack(FULL)
    expected = {Tag.PAYLOAD: 200, Tag.ESCAPES: 2, Tag.ALPHA: 3, Tag.ICC: 3, Tag.EXIF: 4, Tag.XMP: 6}
    assert section_sizes(data) == expected
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    assert section_sizes(damaged) == expected
    assert not intact(damaged)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_bytes_too_few_for_a_checksum_are_not_intact(data: bytes) -> None:
    assert not intact(data)


# Damage


@pytest.mark.parametrize("contents", EXAMPLES)
def test_every_cut_is_a_truncation(contents: Contents) -> None:
    data = pack(contents)
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            parse(data[:length])


@pytest.mark.parametrize("contents", EXAMPLES)
def test_every_flipped_bit_is_an_error(contents: Contents) -> None:
    data = pack(contents)
    for index in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[index // 8] ^= 1 << index % 8
        with pytest.raises(FormatError):
            parse(bytes(damaged))


@given(st.binary(), st.sampled_from([b"", MAGIC, MAGIC + b"\1", LATENTS_HEAD, LOSSLESS_HEAD]), st.booleans())
def test_random_bytes_raise_nothing_else(noise: bytes, start: bytes, sealed: bool) -> None:
    data = seal(start + noise) if sealed else start + noise
    for function in (parse, parse_header, section_sizes):
        with suppress(AecError):
            function(data)


@given(st.data())
def test_changed_files_raise_nothing_else(choice: st.DataObject) -> None:
    body = bytearray(pack(FULL)[:-4])
    for _ in range(choice.draw(st.integers(1, 4))):
        body[choice.draw(st.integers(6, len(body) - 1))] = choice.draw(st.integers(0, 255))
    with suppress(AecError):
        parse(seal(bytes(body)))


def test_damage_is_named_before_the_rule_it_breaks() -> None:
    data = bytearray(pack(SMALL))
    data[7] |= 0x80
    with pytest.raises(ChecksumError, match="reserved bits"):
        parse(bytes(data))
    with pytest.raises(ChecksumError, match=r"checksum is [0-9a-f]{8}, that of its bytes [0-9a-f]{8}"):
        parse(pack(SMALL)[:-1] + b"\0")


def test_truncation_says_what_is_missing() -> None:
    data = pack(FULL)
    with pytest.raises(TruncatedError, match=r"section 1 \(PAYLOAD\) at byte 37 needs 200 bytes, 63 are left"):
        parse(data[:100])
    with pytest.raises(TruncatedError, match="empty"):
        parse(b"")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda data: data.replace(b"\r\n", b"\n"), "CR LF became LF"),
        (lambda data: data.replace(b"\n", b"\r\n"), "LF became CR LF"),
        (lambda data: bytes(byte & 0x7F for byte in data), "high bits"),
        (lambda data: data.decode("latin-1").encode(), "Latin-1"),
        (lambda data: data.decode(errors="replace").encode(), "UTF-8"),
    ],
)
def test_damage_by_text_conversion_is_named(damage: Callable[[bytes], bytes], cause: str) -> None:
    with pytest.raises(FormatError, match=f"text.*{cause}"):
        parse(damage(pack(SMALL)))


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"x", b"\xff\xd8\xff\xe0", bytes(100)])
def test_other_files_are_not_aecodec_files(data: bytes) -> None:
    with pytest.raises(FormatError, match=rf"not an aecodec file.*{data[:6].hex(' ')}") as caught:
        parse(data)
    assert caught.type is FormatError


# Files of later versions


@pytest.mark.parametrize("version", [0, 2, 255])
def test_unknown_version_is_refused_whatever_follows(version: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"version {version}"):
        parse(MAGIC + bytes([version]) + b"anything")


@pytest.mark.parametrize("tag", [11, 127])
def test_unknown_critical_section_is_refused(tag: int) -> None:
    data = seal(LATENTS_HEAD + PAYLOAD + bytes([tag, 1, 0]) + END)
    with pytest.raises(UnsupportedVersion, match=f"section {tag}"):
        parse(data)
    assert section_sizes(data) == {1: 3, tag: 1}


def test_unknown_ancillary_sections_are_skipped() -> None:
    data = seal(LATENTS_HEAD + PAYLOAD + b"\x04\x03icc" + b"\x80\0" + b"\xff\2ab" + END)
    assert parse(data) == Contents(replace(SMALL.header, width=5, height=6), b"abc", icc=b"icc")
    assert section_sizes(data) == {1: 3, 4: 3, 128: 0, 255: 2}


@pytest.mark.parametrize("bit", range(4, 8))
def test_reserved_flags_are_refused(bit: int) -> None:
    with pytest.raises(FormatError, match="reserved"):
        parse(seal(MAGIC + bytes([1, 2 | 1 << bit, 5, 6]) + PAYLOAD + END))


# Rules broken in files with the right checksum


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (LOSSLESS_HEAD[:-2] + b"\0\6" + PAYLOAD + END, "width 0"),
        (LOSSLESS_HEAD[:-1] + b"\0" + PAYLOAD + END, "height 0"),
        (LOSSLESS_HEAD[:-2] + b"\x85\0\6" + PAYLOAD + END, "width.*longer than"),
        (LOSSLESS_HEAD[:-1] + b"\x80\0" + PAYLOAD + END, "height.*longer than"),
        (LOSSLESS_HEAD[:-1] + b"\x80\x80\x80\x80\x08" + PAYLOAD + END, "height.*above 2147483647"),
        (LOSSLESS_HEAD[:-1] + b"\xff\xff\xff\xff\xff\1" + PAYLOAD + END, "height.*above 2147483647"),
        (LOSSLESS_HEAD + b"\1\x83\0abc" + END, "length of section 1.*longer than"),
        (LATENTS_HEAD[:10] + b"\x63\x00" + LATENTS_HEAD[12:] + PAYLOAD + END, "quality 99 "),
        (LATENTS_HEAD[:10] + b"\x11\x27" + LATENTS_HEAD[12:] + PAYLOAD + END, "quality 10001 "),
        (LATENTS_HEAD + END, "PAYLOAD.* is missing"),
        (LATENTS_HEAD + b"\2\1a" + END, "PAYLOAD.* is missing"),
        (LATENTS_HEAD + PAYLOAD + PAYLOAD + END, "repeated or out of order"),
        (LATENTS_HEAD + PAYLOAD + b"\4\1a" + b"\3\1a" + END, "ALPHA.* follows .*ICC"),
        (LATENTS_HEAD + PAYLOAD + b"\x81\1a" + b"\x80\1a" + END, "section 128 follows section 129"),
        (LATENTS_HEAD + PAYLOAD + b"\3\0" + END, "ALPHA.* is empty"),
        (LOSSLESS_HEAD + PAYLOAD + b"\2\1a" + END, "ESCAPES.* in a lossless file"),
        (LATENTS_HEAD + PAYLOAD + b"\7\1a" + END, "INDEX.* belongs to stacks"),
        (MAGIC + b"\1\6\5\6\2" + PAYLOAD + b"\7\1a" + END, "INDEX.* belongs to stacks of latents"),
        (MAGIC + b"\1\5" + LATENTS_HEAD[8:10] + b"\2" + LATENTS_HEAD[10:] + PAYLOAD + END, "INDEX.* belongs to"),
        (MAGIC + b"\1\6\5\6\0" + PAYLOAD + END, "0 pictures"),
        (MAGIC + b"\1\6\5\6\2" + PAYLOAD + b"\3\1a" + END, "ALPHA.* in a stack"),
    ],
)
def test_broken_rule_is_named(body: bytes, cause: str) -> None:
    with pytest.raises(FormatError, match=cause) as caught:
        parse(seal(body))
    assert caught.type is FormatError


@pytest.mark.parametrize("tail", [b"\0", b"\n", bytes(1000)])
def test_trailing_bytes_are_refused(tail: bytes) -> None:
    data = pack(SMALL)
    with pytest.raises(FormatError, match=f"{len(tail)} bytes follow the end") as caught:
        parse(data + tail)
    assert caught.type is FormatError


@pytest.mark.parametrize(
    "contents",
    [
        replace(SMALL, header=replace(PHOTO, width=0)),
        replace(SMALL, header=replace(PHOTO, height=-1)),
        replace(SMALL, header=replace(PHOTO, width=MAX_VARINT + 1)),
        replace(SMALL, header=replace(PHOTO, channels=4)),
        replace(SMALL, header=replace(PHOTO, quality=99)),
        replace(SMALL, header=replace(PHOTO, quality=10_001)),
        replace(SMALL, header=replace(PHOTO, model_id=b"short")),
        replace(SMALL, header=replace(PHOTO, symbols_crc=2**32)),
        replace(SMALL, header=replace(PHOTO, symbols_crc=-1)),
        replace(LOSSLESS, header=replace(LOSSLESS.header, quality=6000)),
        replace(LOSSLESS, header=replace(LOSSLESS.header, model_id=MODEL_ID)),
        replace(LOSSLESS, escapes=b"a"),
    ],
)
def test_contents_that_the_format_cannot_hold_are_not_packed(contents: Contents) -> None:
    with pytest.raises(ValueError):
        pack(contents)


# Limits


def test_huge_picture_is_refused_but_shows_its_header() -> None:
    header = replace(PHOTO, width=10**9, height=10**9)
    data = pack(Contents(header, b"", index=index_of(header)))
    with pytest.raises(LimitError, match=f"1000000000 x 1000000000 .*limit in force, max_pixels, is {MAX_PIXELS}"):
        parse(data)
    assert parse_header(data) == header
    assert parse(data, max_pixels=None).header == header


def test_damage_is_found_before_the_limit() -> None:
    data = pack(Contents(replace(PHOTO, width=10**9, height=10**9), b""))
    with pytest.raises(ChecksumError):
        parse(data[:-1] + bytes([data[-1] ^ 1]))


def test_limit_counts_whole_cells() -> None:
    with pytest.raises(LimitError, match="1600000000"):
        check_pixels(1, 10**8, MAX_PIXELS)
    check_pixels(1, 10**8, 10**8 * CELL)
    check_pixels(1, 10**8, None)


@given(st.integers(1, MAX_VARINT), st.integers(1, MAX_VARINT))
def test_limit_that_the_message_names_is_enough(width: int, height: int) -> None:
    try:
        check_pixels(width, height, 1)
    except LimitError as error:
        needed = re.search(r"needs a limit of (\d+) pixels", str(error))
        assert needed
        check_pixels(width, height, int(needed[1]))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 7), (1, 1000), (640, 480)])
def test_padding_alone_never_refuses_a_small_picture(width: int, height: int) -> None:
    check_pixels(width, height, max_pixels=width * height)
    with pytest.raises(LimitError):
        check_pixels(width, height, max_pixels=width * height - 1)
    assert width * height < NEGLIGIBLE_PIXELS


# The specification


def test_specification_is_in_the_docs() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "format.md"
    assert f"```text\n{SPECIFICATION}\n```\n" in page.read_text(encoding="utf-8")


def test_specification_has_the_numbers_of_the_implementation() -> None:
    assert f"magic: {MAGIC.hex(' ').upper()}\n" in SPECIFICATION
    assert re.findall(r"version:? (\d+)\b", SPECIFICATION) == [str(container.VERSION)] * 2
    low, high = container.QUALITY_RANGE
    assert f"quality in hundredths, {low}..{high}\n" in SPECIFICATION
    assert f"first {container.MODEL_ID_BYTES} bytes of the SHA-256" in SPECIFICATION
    assert MAX_VARINT == 2**31 - 1
    assert "at most 2^31 - 1,\nso it has one to five bytes" in SPECIFICATION
    tags = {name: int(tag) for tag, name in re.findall(r"^    (\d+) +([A-Z]+) ", SPECIFICATION, re.MULTILINE)}
    assert tags == {tag.name: tag.value for tag in Tag if tag is not Tag.END}
    assert re.search(rf"{max(Tag) + 1}\.\.{container.FIRST_ANCILLARY - 1} +critical", SPECIFICATION)
    assert f"{container.FIRST_ANCILLARY}..255   ancillary" in SPECIFICATION


def test_sixteen_bits_are_for_single_pictures_without_loss() -> None:
    deep = replace(LOSSLESS.header, depth=16)
    assert parse(pack(replace(LOSSLESS, header=deep))).header == deep
    for header in (replace(PHOTO, depth=16), replace(deep, count=2), replace(deep, depth=12)):
        with pytest.raises(ValueError, match="bits a sample"):
            pack(Contents(header, b""))


def test_example_of_the_specification() -> None:
    example = bytes.fromhex(SPECIFICATION.partition("Example:")[2].partition("\n")[2])
    assert example == pack(SMALL)
    assert parse(example) == SMALL


def test_container_needs_neither_numpy_nor_torch() -> None:
    program = "import sys, aecodec.format.container; print(*sorted({'numpy', 'torch', 'PIL'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
