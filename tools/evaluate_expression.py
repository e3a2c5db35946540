"""Judge the expressions of faces: `python -m tools.evaluate_expression --json OUT.json --sheet OUT.png`.

Only networks that took no part in the search judge (`models.judge.networks`). The sheet has faces down and emotions across, the
verdict of fer in the corner: what it sees among the five, how surely, and SFace's cosine to the neutral picture. `--made-by`
compares ways to make expressions (`tools/judged_faces.py`).
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from engine.drawn import quick_generator
from models.errors import UserError, exit_on_user_error
from models.expression.paths import ExpressionPaths
from models.expression.preview import Generator, as_bytes, full_picture
from models.expression.typical import Typicality
from models.files import make_place
from models.judge.crops import Picture, resize
from models.judge.verdict import Change, Judge, Reading, change
from models.labels import EMOTIONS, NEUTRAL
from tools import judged_faces
from tools.chosen_generator import chosen_generator
from tools.expression_figures import cosines, distances, summary, whole_faces, worst
from tools.figures_file import add_json, check_json, write_json
from tools.judging_networks import add_networks
from tools.ranges import add_threads, real, whole
from tools.render_emotions import draw, write_picture
from tools.rig_figures import CONTROLS, Effect, alike, effect, rig_figures, table
from tools.search_directions import seeds_of

MEASURED_SIDE: Final = 512  # pixels; pictures are judged at this size
TILE_SIDE: Final = 256  # pixels on the sheet


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    check_json(options.json)
    make_place(options.sheet, "the contact sheet")
    judge = Judge(options.networks)
    generator = quick_generator(chosen_generator(options))

    rows: list[dict[str, Any]] = []
    sheet: dict[str, list[list[Picture]]] = {}
    effects: dict[str, list[Effect]] = {control: [] for control in CONTROLS}
    result: dict[str, Any] = {"made by": options.made_by, "strength": options.strength, "summary": {}, "faces": rows}
    judged: list[ExpressionPaths] = []

    def look(face: ExpressionPaths) -> tuple[str, list[Reading], dict[str, list[Reading]]]:
        start = EMOTIONS[int(judge.read(_as_it_comes(generator, face.name)).fer.argmax())]
        readings = _read(judge, generator, face, options.strength)
        with_rig = {control: _read(judge, generator, face, options.strength, control) for control in CONTROLS if options.rig}
        return start, readings, with_rig

    judging = judged_faces.Judging()
    for face, (start, readings, with_rig) in judging.of(judged_faces.judged_faces(generator, options), look):
        judged.append(face)
        changes = [change(readings[NEUTRAL], reading) for reading in readings]
        rows += [_row(face, start, *rest) for rest in zip(EMOTIONS, readings, changes, strict=True)]
        sheet[face.name] = [[_tile(*rest) for rest in zip(EMOTIONS, readings, changes, strict=True)]]
        for control, on_top in with_rig.items():
            sheet[face.name].append([resize(reading.picture, TILE_SIDE) for reading in on_top])
            effects[control].append(effect(readings[NEUTRAL], on_top[NEUTRAL]))
        write_json(options.json, result)  # after every face, so that a long run can be looked at
    typical = Typicality.drawn_by(generator)
    figures = summary(rows) | {"cosines": cosines(judged), "Mahalanobis": distances(judged, typical)}
    figures["whole faces"] = whole_faces(rows, judged, typical)
    if options.rig:
        figures |= {"controls alike": alike(judged)}
        result["rig"] = rig_figures(effects)
    write_json(options.json, result | {"summary": figures})
    _print(figures)
    if options.rig:
        print(table(result["rig"]))
    if options.sheet is not None:
        shown = worst(rows, options.worst) if options.worst else list(sheet)
        tiles = [np.concatenate(row, axis=1) for name in shown for row in sheet[name]]
        write_picture(options.sheet, np.concatenate(tiles))
    judging.tell()


def _read(
    judge: Judge, generator: Generator, face: ExpressionPaths, strength: float, control: str | None = None
) -> list[Reading]:
    """All emotions of a face, one control of its rig on top. Raises `UserError` naming the picture in which no face is seen."""
    readings = []
    for emotion in EMOTIONS:
        try:
            rig = None if control is None else {control: 1.0}
            readings.append(judge.read(draw(generator, face, emotion, strength, MEASURED_SIDE, rig)))
        except UserError as error:
            raise UserError(f"{emotion}{f' with {control}' if control else ''}: {error}") from error
    return readings


def _as_it_comes(generator: Generator, name: str) -> Picture:
    (seed,) = seeds_of(name)
    return as_bytes(full_picture(generator, generator.broadcast(generator.code_of_seed(seed)), MEASURED_SIDE))


def _row(face: ExpressionPaths, start: str, emotion: str, reading: Reading, difference: Change) -> dict[str, Any]:
    verdicts = {
        name: {"says": EMOTIONS[int(p.argmax())], "probability": float(p[EMOTIONS.index(emotion)])}
        for name, p in (("fer", reading.fer), ("facemood", reading.facemood))
    }
    shapes = {name: round(value, 3) for name, value in reading.blendshapes.items()}
    return {"face": face.name, "start": start, "emotion": emotion, **verdicts, **asdict(difference), "blendshapes": shapes}


def _tile(emotion: str, reading: Reading, difference: Change) -> Picture:
    tile = resize(reading.picture, TILE_SIDE)
    seen = int(reading.fer.argmax())
    text = f"{EMOTIONS[seen]} {reading.fer[seen]:.2f} {difference.same_person:.2f}"
    colour = (255, 255, 255) if EMOTIONS[seen] == emotion else (255, 90, 90)
    tile[-20:] //= 3
    cv2.putText(tile, text, (6, TILE_SIDE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return tile


def _print(values: dict[str, Any]) -> None:
    for name, value in values.items():
        shown = "  ".join(f"{key} {number:.3f}" for key, number in value.items()) if isinstance(value, dict) else f"{value:.3f}"
        print(f"{name:12} {shown}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_expression", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged_faces.add_options(parser)
    parser.add_argument(
        "--strength", type=real("--strength", 0, 1.5), default=1.0, metavar="0…1.5", help="1 is the full expression (%(default)s)"
    )
    parser.add_argument(
        "--rig", action="store_true", help="put each control of the rig on top of each emotion, and measure what it moves"
    )
    add_networks(parser)
    add_json(parser)
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="write the contact sheet")
    parser.add_argument("--worst", type=whole("--worst", 0), default=0, metavar="N", help="only the N worst faces on the sheet")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
