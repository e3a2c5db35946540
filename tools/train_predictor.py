"""Train what predicts a face's expressions from its code: `python -m tools.train_predictor --networks DIR --out FILE`.

Draws one face after another (`seed:10000` on, none of them is ever judged), lets the predictor walk it to neutral and to some
expressions, and corrects it by the gradients of the search's own objective through the generator and its 256² head
(`models/expression/amortised.py`). Goes on where it stopped; the pace falls over all `--minutes`.
`--hold EMOTIONS` goes on from the shipped predictor: only these (or neutral, or controls of the rig that are the same for all
faces) learn, more calmly; the person, the head, the sides and the picture count more, and all but neutral leave the first rows
alone, which move the background rather than the face.
At the end, strength and knots are set by full pictures: see `calibrated`. Weights of rows become part of the matrices that go on
learning; `python -m tools.weigh_rows` finds new ones afterwards.

`--generator FILE` learns instead what a show with a generator of your own learns in the background, and keeps it in the same
place (`models/expression/own_generator.py`).
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.progress import TimeRemainingColumn

from engine.drawn import quick_generator
from models.descent import cosine_pace
from models.errors import UserError, exit_on_user_error
from models.expression.amortised import FIRST_SEED, GOALS, Amortisation, Teaching, calibrated, drawn_codes
from models.expression.bank import load_directions, load_predictor
from models.expression.goals import EMOTION_GOALS, SHARED
from models.expression.objective import Weights
from models.expression.own_generator import Kept, learn
from models.expression.predictor import NEUTRAL_STEP, untrained
from models.expression.preview import previews_of
from models.expression.rows import shaping_rows
from models.files import cache_folder, check_place, make_folder
from models.judge.eyes import open_eyes
from models.stylegan.default import load_default_generator
from tools.chosen_generator import add_options, chosen_generator
from tools.progress_bar import progress_bar
from tools.ranges import add_threads, real

FIRST_HELD: Final = 20_000
COMPONENTS: Final = 62
LAST: Final = 0.05  # of its pace, at the end
HELD: Final = Weights(identity=10.0, picture=60.0, symmetry=0.6, turn=0.15)  # what `--hold` pays
HELD_REST: Final = Weights(picture=50.0, symmetry=0.0, sides=15.0, turn=0.15)  # a face may be more even at rest than it came
# Calm: steps have the gradient's direction and not its length, so that at the end what is left of them is noise. It hides where
# no network looks, in the background first.
HELD_PACE: Final = 0.3
HELD_OWN: Final = 1.0
HELD_LAST: Final = 0.02
MINUTES: Final = 60.0
OF_THE_SHIPPED: Final = ("minutes", "hold", "out", "work")  # options that say nothing of an own generator
HOLDABLE: Final = (NEUTRAL_STEP, *EMOTION_GOALS, *SHARED)


class Trainer(Amortisation):
    """Amortisation of the default generator's faces, kept in files."""

    def __init__(self, networks: Path, work: Path, hold: Sequence[str] = ()) -> None:
        """Goes on where a run with the same `work` stopped; with something to hold it starts from the shipped predictor."""
        generator = load_default_generator()
        if hold:
            known = load_predictor(generator.graph_hash)
        else:
            known = untrained(load_directions(generator.graph_hash), drawn_codes(generator), shaping_rows(generator), COMPONENTS)
        teaching = Teaching(hold, HELD_OWN, weights=HELD, weights_at_rest=HELD_REST) if hold else Teaching()
        first = FIRST_HELD if hold else FIRST_SEED
        super().__init__(generator, open_eyes(networks), known, previews_of(generator), teaching, first)
        self._file = work / f"{'_'.join(['held', *sorted(hold)]) if hold else 'predictor'}.safetensors"
        self.minutes = self.restore(self._file) if self._file.exists() else 0.0

    def keep(self) -> None:
        """So that another run goes on from here."""
        self.save(self._file, self.minutes)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.generator or options.as_own:
        if given := [f"--{name}" for name in OF_THE_SHIPPED if getattr(options, name) is not None]:
            raise UserError(f"{given[0]} is for the generator that ships; your own learns to its end, into the cache")
        _learn_own(options)
        return
    if options.networks is None:
        raise UserError("the networks that steer were expected, none are named: give their folder with --networks DIR")
    hold = options.hold.split(",") if options.hold else []
    if unknown := [name for name in hold if name not in HOLDABLE]:
        raise UserError(f"--hold takes {', '.join(HOLDABLE)}, got '{unknown[0]}': write for example --hold fear,sad")
    if options.out is None:
        raise UserError("a file for the predictor was expected, none is named: give it with --out FILE")
    minutes, out = MINUTES if options.minutes is None else options.minutes, options.out
    check_place(out, "the predictor")
    work = options.work or cache_folder("predictor")
    make_folder(work)
    trainer = Trainer(options.networks, work, hold)
    pace, end, first = (HELD_PACE, HELD_LAST, FIRST_HELD) if hold else (1.0, LAST, FIRST_SEED)
    recent: dict[str, list[float]] = {name: [] for name in GOALS}
    last = time.process_time()
    while trainer.minutes < minutes:
        share = trainer.minutes / minutes
        for name, loss in trainer.step(pace * cosine_pace(share, end)).items():
            recent[name].append(loss)
        now = time.process_time()
        trainer.minutes, last = trainer.minutes + (now - last) / 60, now
        if trainer.seed % 50 == 0:
            trainer.keep()
            print(
                f"{trainer.seed - first} faces, {100 * share:.0f} %: "
                + ", ".join(f"{name} {np.mean(losses[-25:]):.2f}" for name, losses in recent.items() if losses),
                flush=True,
            )
    trainer.keep()
    emotions = [name for name in EMOTION_GOALS if not hold or name in hold]
    calibrated(trainer.trained(), quick_generator(quality="fine"), open_eyes(options.networks), emotions, print).save(out)


def _learn_own(options: argparse.Namespace) -> None:
    """What a show does in the background, ahead of it."""
    generator, eyes = quick_generator(chosen_generator(options), "fine"), open_eyes(options.networks)
    with progress_bar(TimeRemainingColumn()) as tell:
        learn(generator, eyes, tell)
    print(f"learnt: {Kept(generator, eyes.name).predictor_file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_predictor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=Path, metavar="DIR", help="folder of the networks that steer; with --generator our student can, too")
    add_options(parser)
    add("--as-own", action="store_true", help="learn of the one that ships as of one of your own, to see what that is worth")
    add("--minutes", type=real("--minutes", 0, 1e6), help=f"of processor time, all runs together (default {MINUTES:g})")
    add("--hold", metavar="EMOTION[,EMOTION …]", help="go on from the shipped predictor: only these (see above) learn on")
    add("--out", type=Path, metavar="FILE", help="where the predictor goes")
    add("--work", type=Path, metavar="DIR", help="where training goes on from (default in the user's cache)")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
