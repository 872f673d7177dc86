"""Programs that compile with PyTorch what calls the codec get what they get without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import aecodec
from aecodec.codec import Codec, Pixels
from tests.conftest import TINY


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore")  # of the compiler
@pytest.mark.parametrize("name", ["encode", "decode", "module's", "stack", "load"])
def test_compiled_callers_get_the_same(tiny: Codec, picture: Pixels, name: str) -> None:
    data = tiny.encode(picture, 60)
    stack = aecodec.encode_stack(picture[None], 60, tiny)
    calls: dict[str, Callable[[], object]] = {
        "encode": lambda: tiny.encode(picture, 60),
        "decode": lambda: tiny.decode(data).tobytes(),
        "module's": lambda: aecodec.decode(aecodec.encode(picture, 60, TINY), [TINY]).tobytes(),
        "stack": lambda: aecodec.decode_stack(aecodec.encode_stack(picture[None], 60, tiny), models=[TINY]).tobytes(),
        "load": lambda: aecodec.load_codec(TINY).id,
    }
    compiled: Callable[[], object] = torch.compile(calls[name], backend="eager")
    assert compiled() == calls[name]()
    assert np.array_equal(aecodec.decode_stack(stack, models=[TINY])[0], tiny.decode(data))
