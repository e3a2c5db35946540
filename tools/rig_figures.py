"""What the controls of a rig move on faces at rest, beside what is wanted of them: measures, blendshapes, directions alike."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from models.expression.geometry import MEASURES, measures
from models.expression.goals import RIG_GOALS, TURN_GOALS, Range
from models.expression.paths import ExpressionPaths
from models.judge.verdict import Reading
from tools.expression_figures import unit

CONTROLS: Final = (*RIG_GOALS, *TURN_GOALS)
ALIKE: Final = 0.5  # a cosine of two directions beyond which they are told
# MediaPipe's scores that controls should show in, their mean where there are sides; gaze to the subject's left, as the rig's.
SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "jawOpen": ("jawOpen",),
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouthPucker": ("mouthPucker",),
    "browInnerUp": ("browInnerUp",),
    "browDown": ("browDownLeft", "browDownRight"),
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "eyeSquint": ("eyeSquintLeft", "eyeSquintRight"),
    "eyeLookOut/In": ("eyeLookOutLeft", "eyeLookInRight"),
}

Figures = Mapping[str, float]


class Effect(NamedTuple):
    """What a control at 1 does to a face.

    movement     `geometry.MEASURES` in hundredths of the face's height, pitch and yaw in degrees
    blendshapes  `SHAPES`, −1…1
    """

    movement: Figures
    blendshapes: Figures


def effect(rest: Reading, moved: Reading) -> Effect:
    """From the picture without the control to the one with it."""
    before, after = (measures(torch.from_numpy(reading.points)) for reading in (rest, moved))
    turned = moved.pose - rest.pose
    turns = {"pitch": float(turned[0]), "yaw": float(turned[1])}
    return Effect(
        {name: float(after[name] - before[name]) for name in MEASURES} | turns,
        {
            shape: float(np.mean([moved.blendshapes[name] - rest.blendshapes[name] for name in names]))
            for shape, names in SHAPES.items()
        },
    )


def wanted(control: str) -> Mapping[str, Range]:
    """(least, most) of what the movement by a control at 1 should be."""
    return TURN_GOALS[control].turns if control in TURN_GOALS else RIG_GOALS[control].movements


def rig_figures(effects: Mapping[str, Sequence[Effect]]) -> dict[str, dict[str, Any]]:
    """Of each control's effects on some faces: the mean movement, what is wanted, the mean of the blendshapes."""

    def mean(rows: Sequence[Figures]) -> dict[str, float]:
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    return {
        control: {
            "movement": mean([one.movement for one in found]),
            "wanted": dict(wanted(control)),
            "blendshapes": mean([one.blendshapes for one in found]),
        }
        for control, found in effects.items()
    }


def alike(faces: Sequence[ExpressionPaths]) -> dict[str, float]:
    """Each two controls whose directions, as W+ vectors, have a cosine beyond `ALIKE` in size, the mean over the faces."""
    found = {}
    for one, other in combinations(CONTROLS, 2):
        cosines = [np.vdot(unit(face.rig[one]), unit(face.rig[other])) for face in faces if {one, other} <= face.rig.keys()]
        if cosines and abs(mean := float(np.mean(cosines))) > ALIKE:
            found[f"{one} – {other}"] = mean
    return found


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Both matrices of `rig_figures` as Markdown; bold is a movement that a control is for."""
    moved = [
        [
            f"`{control}`",
            *(_bold(f"{value:z.1f}", name in _aims(control)) for name, value in row["movement"].items()),
            _said(control),
        ]
        for control, row in figures.items()
    ]
    seen = [[f"`{control}`", *(f"{value:z.2f}" for value in row["blendshapes"].values())] for control, row in figures.items()]
    first = next(iter(figures.values()))
    heads = (["", *(name.replace("_", " ") for name in first["movement"]), "wanted"], ["", *first["blendshapes"]])
    return "\n\n".join(_markdown([head, ["---"] * len(head), *rows]) for head, rows in zip(heads, (moved, seen), strict=True))


def _aims(control: str) -> set[str]:
    """What should not stay as it is."""
    return {name for name, (least, most) in wanted(control).items() if least > 0 or most < 0}


def _said(control: str) -> str:
    ranges = wanted(control).items()
    return ", ".join(f"{n.replace('_', ' ')} {low:g}" + (f" to {high:g}" if high > low else "") for n, (low, high) in ranges)


def _bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
