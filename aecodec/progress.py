"""How far the coding of one picture is, for those who want to see it.

Work is divided into stages, each of which takes about a known share of the time, and a stage counts its parts as they
are done. Nothing is kept beside these objects, which go down with the calls; where nobody listens a part costs one call
of an empty function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, count, pairwise

Listener = Callable[[float], None]  # is told the share 0..1 that is done, on any thread, not strictly in order


def _nobody(_: float) -> None:
    pass


@dataclass(frozen=True)
class Stage:
    """Work whose beginning and end are ``start`` and ``stop`` of all that ``tell`` hears of."""

    tell: Listener = _nobody
    start: float = 0.0
    stop: float = 1.0

    @staticmethod
    def of(listener: Listener | None) -> Stage:
        """The whole work."""
        return UNWATCHED if listener is None else Stage(listener)

    def split(self, *shares: float) -> list[Stage]:
        """Stages one after the other that take so many shares of the time."""
        ends = [self.start + (self.stop - self.start) * done / sum(shares) for done in accumulate(shares, initial=0.0)]
        return [Stage(self.tell, start, stop) for start, stop in pairwise(ends)]

    def counter(self, parts: int) -> Callable[[], None]:
        """To be called after each of so many equal parts, on any thread."""
        done = count(1)

        def one_more() -> None:
            self.tell(self.start + (self.stop - self.start) * next(done) / parts)

        return one_more


UNWATCHED = Stage()
