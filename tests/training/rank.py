"""One of the processes that train together: ``python -m tests.training.rank CHECKPOINT STEPS [STEP_TO_DIE_AT]``."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from aecodec.errors import AecError
from aecodec.training.data import Crops
from aecodec.training.distributed import joined
from aecodec.training.loop import Trainer
from tests.training_data import OPTIONS, SMALL, pictures

OF_EIGHT = replace(OPTIONS, steps=10, batch=8)


def crops() -> Crops:
    return Crops(pictures([(80, 90), (96, 64), (128, 70)]), OPTIONS.crop)


def main(checkpoint: str, steps: str, last: str = "") -> None:
    with joined("cpu") as ranks, ThreadPoolExecutor(1) as executor:
        trainer = Trainer(OF_EIGHT, crops(), SMALL, Path(checkpoint), ranks=ranks)
        for step in range(int(steps)):
            if last == str(step) and not ranks.first:
                os._exit(9)
            trainer.step(executor)
        trainer.save()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AecError as error:
        sys.exit(f"aecodec: {error}")
