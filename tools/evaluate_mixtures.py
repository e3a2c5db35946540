"""Two emotions mixed half and half: `python -m tools.evaluate_mixtures --sheet OUT.png`.

Faces down, the six pairs across, SFace's cosine to the neutral picture in the corner; then how well the person, the picture
outside the face and the sides are kept, beside the same figures of the pure emotions at half strength.
"""

import argparse
import sys
from itertools import combinations
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.drawn import quick_generator
from models.errors import exit_on_user_error
from models.expression.goals import EMOTION_GOALS
from models.expression.paths import ExpressionPaths
from models.expression.preview import as_bytes, full_picture
from models.files import make_place
from models.judge.crops import Picture, resize
from models.judge.verdict import Change, Judge, Reading, change
from models.labels import EMOTIONS
from tools import judged_faces
from tools.chosen_generator import chosen_generator
from tools.evaluate_expression import MEASURED_SIDE
from tools.expression_figures import LEVEL, SYMMETRIC
from tools.judging_networks import add_networks
from tools.render_emotions import write_picture

PAIRS: Final = tuple(combinations(EMOTION_GOALS, 2))
MIXTURES: Final[tuple[tuple[str, ...], ...]] = (*PAIRS, *((emotion,) for emotion in EMOTION_GOALS))
TILE_SIDE: Final = 192  # pixels on the sheet


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    make_place(options.sheet, "the contact sheet")
    torch.set_num_threads(1)
    judge, generator = Judge(options.networks), quick_generator(chosen_generator(options))
    changes: dict[str, list[Change]] = {}
    sheet = []

    def look(face: ExpressionPaths) -> list[Reading]:
        codes = (torch.from_numpy(face.blend(half_of(*names))) for names in ((), *MIXTURES))
        return [judge.read(as_bytes(full_picture(generator, ws, MEASURED_SIDE))) for ws in codes]

    judging = judged_faces.Judging()
    for _, (rest, *readings) in judging.of(judged_faces.judged_faces(generator, options), look):
        tiles = [resize(rest.picture, TILE_SIDE)]
        for names, reading in zip(MIXTURES, readings, strict=True):
            difference = change(rest, reading)
            changes.setdefault(" + ".join(names), []).append(difference)
            if len(names) == 2:
                tiles.append(_tile(reading.picture, names, difference))
        sheet.append(np.concatenate(tiles, axis=1))
    for mixture, found in changes.items():
        print(f"{mixture:14} {_shown(found)}")
    print(f"{'all mixtures':14} {_shown([one for first, second in PAIRS for one in changes[f'{first} + {second}']])}")
    if options.sheet is not None:
        write_picture(options.sheet, np.concatenate(sheet))
    judging.tell()


def half_of(*names: str) -> NDArray[np.float64]:
    """(5,) weights: half of each of these emotions."""
    return np.array([0.5 * (emotion in names) for emotion in EMOTIONS])


def _shown(changes: list[Change]) -> str:
    same, elsewhere = [one.same_person for one in changes], [one.elsewhere for one in changes]
    return (
        f"same person {np.mean(same):.3f} mean, {min(same):.3f} least; outside the face {100 * np.mean(elsewhere):.2f} %; "
        f"skin {np.median([one.skin for one in changes]):.2f}; "
        f"turned within {LEVEL:.0f}° {np.mean([one.turn <= LEVEL for one in changes]):.2f}; "
        f"left like right within {SYMMETRIC} {np.mean([one.asymmetry <= SYMMETRIC for one in changes]):.2f}"
    )


def _tile(picture: Picture, names: tuple[str, ...], difference: Change) -> Picture:
    tile = resize(picture, TILE_SIDE)
    tile[-18:] //= 3
    text = f"{'+'.join(names)} {difference.same_person:.2f}"
    cv2.putText(tile, text, (4, TILE_SIDE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_mixtures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged_faces.add_options(parser)
    add_networks(parser)
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="write the contact sheet")
    return parser


if __name__ == "__main__":
    sys.exit(main())
