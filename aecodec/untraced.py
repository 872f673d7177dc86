"""Functions that PyTorch's compiler leaves alone, in programs that compile what calls them. Imports no PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def untraced(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which is called as it is within ``torch.compile``.

    The compiler would trace NumPy's operations into PyTorch's, which do not have all of them, nor all types.
    """

    @wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> R:
        compiler = sys.modules.get("torch._dynamo")
        if compiler is None:
            return function(*arguments, **options)
        run: Callable[P, R] = compiler.disable(function)
        return run(*arguments, **options)

    called._torchdynamo_disable = True  # type: ignore[attr-defined]  # so that the compiler calls it
    return called
