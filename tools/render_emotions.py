"""Write five emotions of faces as pictures: `python -m tools.render_emotions --face seed:1002,seed:1043 --out DIR`.

Makes `DIR/<face>/<emotion>.png` (1024²; on Windows `seed:1002` becomes `seed-1002`). A face that is neither in the bank nor in
`--paths FILE` is predicted, evened out and given strengths of its own, as in a show, which takes
about half a minute of a core; `--as-predicted` leaves that out.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from engine.drawn import quick_generator
from models.errors import UserError, exit_on_user_error
from models.expression.bank import FACES_FILE
from models.expression.find import finished
from models.expression.own_generator import known_predictor
from models.expression.paths import ExpressionPaths, load_paths
from models.expression.preview import Generator, as_bytes, full_picture
from models.files import make_folder, written_beside
from models.judge.crops import Picture
from models.judge.eyes import Eyes, open_eyes
from models.labels import EMOTIONS
from models.stylegan.generator import Generator as StyleGAN
from tools.chosen_generator import add_options, chosen_generator
from tools.progress_bar import progress_bar
from tools.ranges import add_threads, real, whole
from tools.search_directions import seeds_of


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    seeds = seeds_of(options.face)
    make_folder(options.out)
    torch.set_num_threads(options.threads)
    generator = chosen_generator(options)
    file = options.paths or (None if options.generator else FACES_FILE)
    faces = {} if file is None else load_paths(file, generator.graph_hash)
    for seed in seeds:
        face = paths_of(generator, faces, seed)
        if face.name not in faces and not options.as_predicted:
            face = as_shown(generator, seed, face)
        for emotion in EMOTIONS:
            picture = draw(generator, face, emotion, options.strength, options.size)
            write_picture(options.out / folder_name(face.name) / f"{emotion}.png", picture)


def as_shown(generator: StyleGAN, seed: int, predicted: ExpressionPaths) -> ExpressionPaths:
    """What a show makes of a prediction before it searches; where nothing can look at it here, it stays, and a line says why."""
    try:
        quick, eyes = _what_looks(generator)
        start = generator.broadcast(generator.code_of_seed(seed))[0].numpy()
        with progress_bar() as tell:
            return finished(quick, start, predicted, eyes, lambda part, what: tell(part, f"{predicted.name} {what}"))
    except UserError as error:
        print(f"{predicted.name} is drawn as predicted: {error}", file=sys.stderr)
        return predicted


@lru_cache(maxsize=1)
def _what_looks(generator: StyleGAN) -> tuple[Generator, Eyes]:
    """Opened once for all faces, and only if there is one that needs it."""
    return quick_generator(generator, "fine"), open_eyes(None)


def folder_name(face: str) -> str:
    """The face's name, as it is where file systems allow a colon."""
    return face.replace(":", "-") if os.name == "nt" else face


def paths_of(generator: Generator, faces: Mapping[str, ExpressionPaths], seed: int) -> ExpressionPaths:
    """The face's own paths where `faces` has them, else the predicted ones."""
    name = f"seed:{seed}"
    if name in faces:
        return faces[name]
    ws = generator.broadcast(generator.code_of_seed(seed))[0]
    return known_predictor(generator).paths(ws.cpu().numpy(), name)


def draw(
    generator: Generator, face: ExpressionPaths, emotion: str, strength: float, size: int, rig: Mapping[str, float] | None = None
) -> Picture:
    """(size, size, 3): one emotion of a face, controls of its rig on top."""
    ws = face.blend(np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)], strength, rig)
    return as_bytes(full_picture(generator, torch.from_numpy(ws), size))


def write_picture(path: Path, picture: Picture) -> None:
    """A PNG, written beside its place and renamed. Raises `UserError`."""
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    make_folder(path.parent)
    with written_beside(path) as beside:
        beside.write_bytes(encoded)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.render_emotions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--face", required=True, metavar="seed:N[,seed:M …]", help="the faces to draw")
    parser.add_argument(
        "--strength", type=real("--strength", 0, 1.5), default=1.0, metavar="0…1.5", help="1 is the full expression (%(default)s)"
    )
    parser.add_argument("--size", type=whole("--size"), choices=(256, 512, 1024), default=1024, help="pixels (%(default)s)")
    parser.add_argument("--paths", type=Path, metavar="FILE", help=f"file of paths ({FACES_FILE}; of an own generator none)")
    parser.add_argument("--as-predicted", action="store_true", help="do not look at predicted faces: quicker, less even")
    add_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
