"""Search the expressions of faces: `python -m tools.search_directions --faces seed:1002,seed:1043 --out faces.safetensors`.

Writes after every face and skips faces that the file already has, so it can be stopped and started again. Walks start where
the predictor leads (`tools/train_predictor.py`) and are steered by the networks in `--networks DIR`, or by our own student of
them, which everybody has (`tools/train_student.py`). `--predicted` searches nothing: what is predicted gets a
calm rest, is evened out and gets strengths of its own, half a minute a face. `--make-directions FILE` makes attribute-level
directions, where the predictor's training starts, from the faces in `--out`, or the shipped ones. A face that can't be
searched, since its picture shows none to the networks, is named, and the others are searched.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from engine.drawn import quick_generator
from models.errors import UserError, exit_on_user_error, one_line
from models.expression import directions
from models.expression.bank import FACES_FILE
from models.expression.evening import evened
from models.expression.find import find_paths, finished
from models.expression.levels import levelled
from models.expression.own_generator import known_predictor
from models.expression.paths import ExpressionPaths, load_paths, save_paths
from models.files import make_place
from models.judge.eyes import check_eyes, open_eyes
from models.stylegan.seeds import LAST_SEED, seed_in
from tools.chosen_generator import add_options, chosen_generator
from tools.progress_bar import progress_bar
from tools.ranges import add_threads, whole
from tools.search_cluster import HERE, searched_on_ray


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    if not options.faces and options.make_directions is None and not (options.even or options.knots):
        raise UserError("nothing to search: name faces with --faces seed:N, or a file with --make-directions FILE")
    if options.out is None and (options.faces or options.even or options.knots):
        raise UserError("a file of paths to write was expected, none is named: name one with --out FILE")
    make_place(options.out, "the file of paths")
    make_place(options.make_directions, "the file of directions")
    if options.predicted and options.ray:
        raise UserError("--predicted takes some seconds a face and runs here, got --ray too: leave one of them out")
    if (options.even or options.knots) and not options.out.exists():
        raise UserError(f"faces to put right were expected in {options.out}, nothing is there: name their file")
    torch.set_num_threads(options.threads)
    wanted = seeds_of(options.faces) if options.faces else []
    generator = quick_generator(chosen_generator(options), "fine")
    file = options.out or (None if options.generator else FACES_FILE)
    faces = load_paths(file, generator.graph_hash) if file and file.exists() else {}
    with progress_bar() as tell:
        if options.make_directions is not None:
            observations = directions.observe(generator, open_eyes(options.networks), options.samples, tell)
            directions.find_directions(generator, observations, list(faces.values())).save(options.make_directions)
        missing = [seed for seed in wanted if options.again or f"seed:{seed}" not in faces]
        if missing:
            print(f"steered by {check_eyes(options.networks)}", flush=True)

        def one_by_one() -> Iterator[tuple[int, ExpressionPaths | UserError]]:
            eyes = open_eyes(options.networks)
            known = known_predictor(generator, options.predictor)
            for seed in missing:

                def tell_of_it(part: float, what: str, name: str = f"seed:{seed}") -> None:
                    tell(part, f"{name} {what}")

                try:
                    if options.predicted:
                        ws = generator.broadcast(generator.code_of_seed(seed))[0].numpy()
                        yield seed, finished(generator, ws, known.paths(ws, f"seed:{seed}"), eyes, tell_of_it)
                    else:
                        yield seed, find_paths(generator, seed, eyes, tell_of_it, predictor=known)
                except UserError as error:
                    yield seed, error

        def side_by_side() -> Iterator[tuple[int, ExpressionPaths | UserError]]:
            found = searched_on_ray(options.ray, missing, options.networks, options.predictor, (options.generator, options.label))
            for number, face in enumerate(found, 1):
                tell(number / len(missing), f"{number} of {len(missing)} faces")
                yield face

        if options.even or options.knots:
            eyes = open_eyes(options.networks)
            for number, (name, face) in enumerate(list(faces.items())):
                tell(number / len(faces), name)
                better = evened(generator, face, eyes) if options.even else face
                faces[name] = levelled(generator, better, eyes) if options.knots else better
                save_paths(options.out, faces)
                print(f"{name} put right: written to {options.out}", flush=True)
        if not missing:
            return
        failed = []
        for seed, found in side_by_side() if options.ray else one_by_one():
            if isinstance(found, UserError):
                failed.append(f"seed:{seed}")
                print(one_line(f"seed:{seed} is left out: {found}"), file=sys.stderr, flush=True)
                continue
            faces[found.name] = found
            save_paths(options.out, faces)
            print(f"{found.name}: written to {options.out}", flush=True)
        if failed:
            raise UserError(f"{len(failed)} of {len(missing)} faces could not be searched ({', '.join(failed[:10])}): see above")


def seeds_of(text: str) -> list[int]:
    """`seed:1,seed:2` or `seed:1,2` → [1, 2], each once. Raises `UserError`."""
    seeds = []
    for part in text.split(","):
        seed = seed_in(part.strip().removeprefix("seed:"))
        if seed is None:
            raise UserError(
                f"a face is named seed:N with N from 0 to {LAST_SEED}, got '{part.strip()[:30]}': write for example seed:1002"
            )
        seeds.append(seed)
    return list(dict.fromkeys(seeds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.search_directions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--faces", metavar="seed:N[,seed:M …]", help="the faces to search")
    add("--out", type=Path, metavar="FILE", help="file of paths, made or added to")
    add("--again", action="store_true", help="search faces again that the file already has")
    add("--even", action="store_true", help="only even out the file's faces: left like right, the head as it is held at rest")
    add(
        "--knots",
        action="store_true",
        help="only set the strengths of the file's faces anew: slight, clear and full as the networks that steer see them",
    )
    add(
        "--predicted",
        action="store_true",
        help="search nothing: take what is predicted, even it out, and set its strengths by looking",
    )
    add(
        "--predictor",
        type=Path,
        metavar="FILE",
        help="where walks start (the shipped one; what was learnt of an own generator)",
    )
    add_options(parser)
    add("--make-directions", type=Path, metavar="FILE", help="make attribute-level directions first")
    add(
        "--samples",
        type=whole("--samples", 20),
        default=200,
        metavar="N",
        help="faces drawn and measured for the directions (%(default)s)",
    )
    add("--networks", type=Path, metavar="DIR", help="folder of the networks that steer; none: our own student steers")
    add(
        "--ray",
        nargs="?",
        const=HERE,
        metavar="ADDRESS",
        help="search many faces at once on the Ray cluster at this address (without one: on all cores of this machine)",
    )
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
