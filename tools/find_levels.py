"""What slight, clear and full look like to the networks that steer: `python -m tools.find_levels [--networks DIR]`.

Prints the median log-odds of each emotion at the knots of predicted faces, for `models/judge/eyes.py`: the levels that every
face's strengths are then set by (`models/expression/levels.py`). The faces are of those that the predictor was trained on;
none of them is ever judged.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import torch

from engine.drawn import quick_generator
from models.errors import exit_on_user_error
from models.expression.levels import levels_of
from models.judge.eyes import open_eyes
from tools.render_emotions import paths_of
from tools.search_directions import seeds_of

FACES: Final = ",".join(str(seed) for seed in range(10_000, 10_024))


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    eyes, generator = open_eyes(options.networks), quick_generator(quality="fine")
    faces = [paths_of(generator, {}, seed) for seed in seeds_of(options.faces)]
    for emotion, levels in levels_of(generator, faces, eyes).items():
        print(f"{emotion:6} " + "  ".join(f"{level:+.2f}" for level in levels))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.find_levels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", default=FACES, metavar="seed:N[,seed:M …]", help="the faces (24 of the predictor's training)")
    parser.add_argument("--networks", type=Path, metavar="DIR", help="folder of the networks that steer; none: our own student")
    return parser


if __name__ == "__main__":
    sys.exit(main())
