"""HEIF pictures (.heic), which phones take: read where the package pillow-heif is installed, and named where not."""

from __future__ import annotations

from functools import lru_cache

NEEDED = "a HEIF picture, which the package pillow-heif reads"
_BRANDS = frozenset({b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevm", b"hevs", b"hevx", b"mif1", b"msf1"})


def is_heif(start: bytes) -> bool:
    """Whether a file begins like one of HEIF, other than AVIF, which Pillow reads by itself."""
    return start[4:8] == b"ftyp" and start[8:12] in _BRANDS


@lru_cache
def register() -> None:
    """Make Pillow read HEIF, where that can be."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()
