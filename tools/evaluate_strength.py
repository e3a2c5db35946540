"""How evenly expressions grow with their strength, as fer sees it: `python -m tools.evaluate_strength`.

Every face is walked from neutral to full and drawn as a show draws it at 256². fer judges twice: as it comes, with the face found
anew in every picture, and steadily, with the box of the neutral face and the mean of `CROPS`. The first wavers by some hundredths
even where the face hardly moves, since the detector's box jumps by some pixels; the second holds the ruler still.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from engine.choose import open_backend
from models.errors import exit_on_user_error
from models.expression.goals import EMOTION_GOALS
from models.expression.paths import ExpressionPaths
from models.files import written_beside
from models.judge.crops import FaceBox, Picture
from models.judge.measure import Detector, Fer
from models.judge.networks import check_there
from models.labels import EMOTIONS
from tools import judged_faces
from tools.chosen_generator import chosen_generator
from tools.figures_file import check_json
from tools.judging_networks import add_networks
from tools.ranges import whole

SIDE: Final = 256  # pixels of the pictures that are judged
LEVELS: Final = {"slight": 1 / 3, "clear": 2 / 3, "full": 1.0}
CROPS: Final = ((0.0, 0.0), (0.03, 0.0), (-0.03, 0.0), (0.0, 0.03), (0.0, -0.03))  # box sides, each also mirrored
TOLERANCE: Final = 0.02  # so much lower than at a lesser strength is no fall yet
JUDGES: Final = ("as it comes", "steadily")

Floats = NDArray[np.float64]


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    check_json(options.json)
    torch.set_num_threads(1)
    check_there(options.networks, "yunet", "fer")
    detect, fer = Detector(options.networks), Fer(options.networks)
    generator = chosen_generator(options)
    strengths = strengths_of(options.steps)
    curves: dict[str, Floats] = {}
    judging = judged_faces.Judging()
    with open_backend(generator, SIDE) as backend:

        def look(face: ExpressionPaths) -> Floats:
            rest = backend.render(face.neutral[None])
            box = detect(rest)
            rows = []
            for emotion in EMOTION_GOALS:
                pictures = [rest, *(backend.render(_code(face, emotion, strength)) for strength in strengths[1:])]
                seen = [(fer(picture, detect(picture)), steady(fer, picture, box)) for picture in pictures]
                rows.append(np.array(seen)[..., EMOTIONS.index(emotion)].T)
            return np.array(rows)

        for face, curve in judging.of(judged_faces.judged_faces(generator, options), look):
            curves[face.name] = curve
            if options.json is not None:
                _write(options.json, curves, strengths)
    _print(figures(np.array(list(curves.values())), strengths))
    judging.tell()


def _write(path: Path, curves: Mapping[str, Floats], strengths: Sequence[float]) -> None:
    """After every face, so that a long run can be looked at."""
    summary = figures(np.array(list(curves.values())), strengths)
    walked = {name: np.round(curve, 4).tolist() for name, curve in curves.items()}
    with written_beside(path) as beside:
        beside.write_text(json.dumps({"summary": summary, "strengths": strengths, "faces": walked}) + "\n")


def strengths_of(steps: int) -> list[float]:
    """0 to 1 in equal steps, the levels between them."""
    return sorted({*(step / steps for step in range(steps + 1)), *LEVELS.values()})


def steady(fer: Fer, picture: Picture, box: FaceBox) -> NDArray[np.float32]:
    """(5,): the mean of fer's probabilities over `CROPS`, plain and mirrored."""
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    boxes = [box.moved(dx, dy) for dx, dy in CROPS]
    seen = [fer(picture, each) for each in boxes] + [fer(mirrored, each.mirrored(picture.shape[1])) for each in boxes]
    return np.asarray(np.mean(seen, axis=0), np.float32)


def figures(curves: Floats, strengths: Sequence[float]) -> dict[str, dict[str, float]]:
    """Of probabilities (faces, emotions, judges, strengths): levels, how often they rise, how often a walk never falls."""
    result: dict[str, dict[str, float]] = {}
    at = {level: strengths.index(strength) for level, strength in LEVELS.items()}
    for number, judge in enumerate(JUDGES):
        seen = curves[:, :, number]
        levels = seen[..., list(at.values())]
        for level, place in at.items():
            values = seen[..., place]
            low, high = np.quantile(values, (0.1, 0.9)).tolist()
            result[f"{judge}, {level}"] = {"mean": float(values.mean()), "10th percentile": low, "90th percentile": high} | {
                emotion: float(values[:, column].mean()) for column, emotion in enumerate(EMOTION_GOALS)
            }
        rise = (levels - seen[..., :1]) / (seen[..., -1:] - seen[..., :1])
        result[f"{judge}, part of a walk's own rise"] = {
            level: float(np.median(rise[..., column])) for column, level in enumerate(LEVELS)
        }
        result[f"{judge}, slight < clear < full"] = _shares(np.diff(levels).min(-1) > 0)
        fallen = np.maximum.accumulate(seen, axis=-1) - seen
        result[f"{judge}, never falls by more than {TOLERANCE}"] = _shares(fallen.max(-1) <= TOLERANCE)
        result[f"{judge}, never falls"] = _shares(fallen.max(-1) <= 0)
        result[f"{judge}, deepest fall"] = {"median": float(np.median(fallen.max(-1))), "most": float(fallen.max())}
    return result


def _shares(holds: NDArray[np.bool_]) -> dict[str, float]:
    """Of walks (faces, emotions): all together, by emotion, and the faces for which every emotion holds."""
    by_emotion = {emotion: float(holds[:, column].mean()) for column, emotion in enumerate(EMOTION_GOALS)}
    return {"walks": float(holds.mean())} | by_emotion | {"faces": float(holds.all(1).mean())}


def _code(face: ExpressionPaths, emotion: str, strength: float) -> NDArray[np.float32]:
    return face.blend(np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)], strength)


def _print(values: dict[str, dict[str, float]]) -> None:
    for name, row in values.items():
        print(f"{name:44} " + "  ".join(f"{key} {value:.2f}" for key, value in row.items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_strength", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged_faces.add_options(parser)
    parser.add_argument(
        "--steps", type=whole("--steps"), default=20, metavar="N", help="of the walk from neutral to full (%(default)s)"
    )
    add_networks(parser)
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the figures and every walk")
    return parser


if __name__ == "__main__":
    sys.exit(main())
