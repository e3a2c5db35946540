"""Judge the expressions of faces: `python -m tools.evaluate_expression --json OUT.json --sheet OUT.png`.

Only networks that took no part in the search judge (`models.judge.networks`). The sheet has faces down and emotions across, the
verdict of fer in the corner: what it sees among the five, how surely, and SFace's cosine to the neutral picture.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from engine.drawn import quick_generator
from models.errors import exit_on_user_error
from models.expression.bank import FACES_FILE
from models.expression.goals import RIG_GOALS
from models.expression.paths import ExpressionPaths, load_paths, make_folder_of
from models.files import written_beside
from models.judge.crops import Picture, resize
from models.judge.verdict import Change, Judge, Reading, change
from models.labels import EMOTIONS, NEUTRAL
from tools.render_emotions import draw, paths_of, write_picture
from tools.search_directions import seeds_of

MEASURED_SIDE: Final = 512  # pixels; pictures are judged at this size
TILE_SIDE: Final = 256  # pixels on the sheet
SHAPES: Final = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp", "browDownLeft", "mouthSmileLeft", "eyeWideLeft")


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    judge = Judge(options.networks)
    generator = quick_generator()
    faces = load_paths(options.paths, generator.graph_hash)
    chosen = [paths_of(generator, faces, seed) for seed in seeds_of(options.faces)] if options.faces else list(faces.values())

    rows, tiles = [], []
    for face in chosen:
        readings = [judge.read(draw(generator, face, emotion, options.strength, MEASURED_SIDE)) for emotion in EMOTIONS]
        changes = [change(readings[NEUTRAL], reading) for reading in readings]
        rows += [_row(face, *rest) for rest in zip(EMOTIONS, readings, changes, strict=True)]
        tiles.append([_tile(*rest) for rest in zip(EMOTIONS, readings, changes, strict=True)])
        if options.rig:
            readings = [
                judge.read(draw(generator, face, emotion, options.strength, MEASURED_SIDE, {control: 1.0}))
                for control in RIG_GOALS
                for emotion in EMOTIONS
            ]
            tiles += [[resize(reading.picture, TILE_SIDE) for reading in readings[n : n + 5]] for n in range(0, len(readings), 5)]
        print(f"{face.name} judged", file=sys.stderr)
    result = {"strength": options.strength, "summary": summary(rows), "faces": rows}
    _print(result["summary"])
    if options.sheet is not None:
        write_picture(options.sheet, np.concatenate([np.concatenate(row, axis=1) for row in tiles]))
    if options.json is not None:
        make_folder_of(options.json)
        with written_beside(options.json) as beside:
            beside.write_text(json.dumps(result, indent=1) + "\n")


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Agreement of the judges by emotion, identity, colour, background and pose over all expressions but neutral."""
    moved = [row for row in rows if row["emotion"] != EMOTIONS[NEUTRAL]]

    def agreement(judge: str, emotions: Sequence[str]) -> float:
        return float(np.mean([row[judge]["says"] == row["emotion"] for row in rows if row["emotion"] in emotions]))

    def over(key: str) -> list[float]:
        return [row[key] for row in moved]

    return {
        "faces": len({row["face"] for row in rows}),
        "fer": {emotion: agreement("fer", [emotion]) for emotion in EMOTIONS}
        | {
            "four emotions": agreement("fer", [e for e in EMOTIONS if e != EMOTIONS[NEUTRAL]]),
            "five": agreement("fer", EMOTIONS),
        },
        "facemood": {emotion: agreement("facemood", [emotion]) for emotion in EMOTIONS},
        "same_person": {"mean": float(np.mean(over("same_person"))), "least": min(over("same_person"))},
        "skin": {
            "median": float(np.median(over("skin"))),
            "mean": float(np.mean(over("skin"))),
            "95th percentile": float(np.quantile(over("skin"), 0.95)),
        },
        "elsewhere": float(np.mean(over("elsewhere"))),
        "turn": {"mean": float(np.mean(over("turn"))), "most": max(over("turn"))},
        "asymmetry": {"mean": float(np.mean(over("asymmetry"))), "most": max(over("asymmetry"))},
    }


def _row(face: ExpressionPaths, emotion: str, reading: Reading, difference: Change) -> dict[str, Any]:
    verdicts = {
        name: {"says": EMOTIONS[int(p.argmax())], "probability": float(p[EMOTIONS.index(emotion)])}
        for name, p in (("fer", reading.fer), ("facemood", reading.facemood))
    }
    shapes = {name: round(reading.blendshapes[name], 3) for name in SHAPES}
    return {"face": face.name, "emotion": emotion, **verdicts, **asdict(difference), "blendshapes": shapes}


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
    parser.add_argument(
        "--faces",
        metavar="seed:N[,seed:M …]",
        help="faces to judge (all of --paths); others are drawn with the preview's directions",
    )
    parser.add_argument("--paths", type=Path, default=FACES_FILE, metavar="FILE", help="file of paths (%(default)s)")
    parser.add_argument("--strength", type=float, default=1.0, metavar="0…1.5", help="1 is the full expression (%(default)s)")
    parser.add_argument(
        "--rig", action="store_true", help="put each control of the rig on top of each emotion, under the face's row"
    )
    parser.add_argument(
        "--networks", type=Path, required=True, metavar="DIR", help="folder of the networks that judge"
    )
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the figures")
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="write the contact sheet")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
