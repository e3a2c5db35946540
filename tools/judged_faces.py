"""Which faces a tool judges, and how their expressions are made: the options `--faces`, `--paths` and `--made-by`; and what
becomes of a face that can't be seen.

Ways: the paths of a file, the predictor, attribute-level directions, or one smile direction at different strengths (the recipe
that this project started from).
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from models.errors import UserError, one_line
from models.expression.bank import FACES_FILE
from models.expression.own_generator import known_directions
from models.expression.paths import ExpressionPaths, load_paths
from models.expression.predictor import SMILES, untrained
from models.expression.preview import Generator
from models.expression.rows import shaping_rows
from models.labels import EMOTIONS
from tools import chosen_generator
from tools.render_emotions import paths_of
from tools.search_directions import seeds_of

WAYS: Final = ("search", "prediction", "directions", "smile")
# How far the original project walked its one smile direction for each emotion, as parts of its farthest walk (100.5).
SMILE_RECIPE: Final = {"angry": -1.0, "neutral": 0.0, "fear": -0.01, "happy": 1.0, "sad": 0.002}

Found = TypeVar("Found")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--faces`, `--paths`, `--made-by`, and those of `chosen_generator`."""
    parser.add_argument("--faces", metavar="seed:N[,seed:M …]", help="faces to judge (all of --paths); others are predicted")
    parser.add_argument("--paths", type=Path, metavar="FILE", help=f"file of paths ({FACES_FILE}; of an own generator none)")
    parser.add_argument("--made-by", choices=WAYS, default="search", help="how the expressions are made (%(default)s)")
    chosen_generator.add_options(parser)


def judged_faces(generator: Generator, options: argparse.Namespace) -> Iterator[ExpressionPaths]:
    """The faces that `add_options`' options ask for, one after the other. Raises `UserError` for a bad name or file."""
    file = options.paths or (None if options.generator else FACES_FILE)
    found = {} if file is None else load_paths(file, generator.graph_hash)
    if not (options.faces or found):
        place = f"{file} holds none" if file else "of an own generator none are at hand"
        raise UserError(f"faces to judge were expected, {place}: give --faces seed:N, or --paths FILE with some")
    for seed in seeds_of(options.faces or ",".join(found)):
        yield _made(generator, found, seed, options.made_by)


class Judging:
    """Faces one after the other; those in whose pictures no face is seen are left out, named on stderr and counted."""

    def __init__(self) -> None:
        self._asked = self._left_out = 0

    def of(
        self, faces: Iterable[ExpressionPaths], look: Callable[[ExpressionPaths], Found]
    ) -> Iterator[tuple[ExpressionPaths, Found]]:
        """Each face with what `look` finds, but those of which it raises a `UserError`. Raises one where that is all of them."""
        for face in faces:
            self._asked += 1
            try:
                found = look(face)
            except UserError as error:
                self._left_out += 1
                print(one_line(f"{face.name} is left out: {error}"), file=sys.stderr, flush=True)
                continue
            yield face, found
            print(f"{face.name} judged", file=sys.stderr, flush=True)
        if self._left_out == self._asked:
            raise UserError("none of these faces could be judged, see above: name others with --faces seed:N")

    def tell(self) -> None:
        """After the figures. Raises `UserError` where they are not of all the faces that were asked for."""
        if self._left_out:
            raise UserError(
                f"{self._left_out} of {self._asked} faces could not be judged, see above: the figures are of the others"
            )


def _made(generator: Generator, found: Mapping[str, ExpressionPaths], seed: int, way: str) -> ExpressionPaths:
    """The expressions of `seed:N` in one of `WAYS`; "search" is the paths that were found, predicted where there are none."""
    ws, name = generator.broadcast(generator.code_of_seed(seed))[0].numpy(), f"seed:{seed}"
    if way == "directions":
        return untrained(known_directions(generator), ws[:1], shaping_rows(generator)).paths(ws, name)
    if way == "smile":
        smile = -SMILES * known_directions(generator).offsets["less_smile"]
        paths = np.stack([np.float32(SMILE_RECIPE[emotion]) * smile for emotion in EMOTIONS])[:, None]
        return ExpressionPaths(ws, paths, {}, generator.graph_hash, name)
    return paths_of(generator, found if way == "search" else {}, seed)
