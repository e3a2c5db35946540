"""Weigh the rows of a predictor's emotions: `python -m tools.weigh_rows --networks DIR --out FILE`.

On faces that the predictor learnt from, and none that is judged, each row's part of an emotion is taken back a little; rows that
cost the person more than they show of the emotion count less from then on, others more (`models/expression/row_weights.py`).
Comes after `tools.train_predictor`; what was weighed before counts for nothing.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import torch

from engine.drawn import quick_generator
from models.errors import UserError, exit_on_user_error
from models.expression.bank import PREDICTOR_FILE
from models.expression.goals import EMOTION_GOALS
from models.expression.predictor import load
from models.expression.row_weights import weighed
from models.files import check_place
from models.judge.eyes import open_eyes
from tools.search_directions import seeds_of

FACES: Final = ",".join(str(seed) for seed in range(10_000, 10_040))


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    emotions = options.emotions.split(",")
    if unknown := [name for name in emotions if name not in EMOTION_GOALS]:
        raise UserError(f"--emotions takes {', '.join(EMOTION_GOALS)}, got '{unknown[0]}': write for example angry,fear")
    check_place(options.out, "the predictor")
    torch.set_num_threads(1)
    generator = quick_generator(quality="fine")
    predictor = load(options.predictor, generator.graph_hash)
    weighed(predictor, generator, open_eyes(options.networks), emotions, seeds_of(options.faces)).save(options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.weigh_rows", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=Path, metavar="DIR", help="folder of the networks that steer; none: our own student")
    parser.add_argument("--emotions", default="angry,fear", metavar="EMOTION[,EMOTION …]", help="which (%(default)s)")
    parser.add_argument("--faces", default=FACES, metavar="seed:N[,seed:M …]", help="the faces (40 of the predictor's training)")
    parser.add_argument("--predictor", type=Path, default=PREDICTOR_FILE, metavar="FILE", help="whose (default: what ships)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the predictor goes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
