"""``python -m tests.attack``: hostile files of every kind, and processes that are killed; a line for each kind."""

from __future__ import annotations

import argparse
import sys

from tests.attack.kills import kill_all
from tests.attack.runner import attack
from tests.attack.trials import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="of each kind")
    parser.add_argument("--kills", type=int, default=50, help="of compress, of archives and of training together")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[*KINDS])
    parser.add_argument("--first", type=int, default=0, help="the first seed; the same seed makes the same file")
    given = parser.parse_args()
    wrong = 0
    for kind in given.kinds if given.files else ():
        found = attack(kind, range(given.first, given.first + given.files))
        print(found, *found.wrong[:20], sep="\n  ", flush=True)
        wrong += len(found.wrong)
    if given.kills:
        said = kill_all(given.kills, given.first)
        print(f"kills: {given.kills}, {len(said)} wrong", *said, sep="\n  ", flush=True)
        wrong += len(said)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
