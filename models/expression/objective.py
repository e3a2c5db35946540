"""What a walk minimises: the goal's class and movements, and everything of the person and the picture that should stay.

All terms compare a preview with the preview of the face where the walk starts, so that the preview's own error cancels out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.expression.geometry import lopsidedness, measures, turned_from
from models.expression.goals import AXES, Goal, Range, Region
from models.judge.landmarks import (
    FACE_OVAL,
    LEFT_EYE_CORNERS,
    LEFT_LIDS,
    RIGHT_EYE_CORNERS,
    RIGHT_LIDS,
    polygon,
)
from models.judge.steer import Jitter, Steering, View

# Points that no expression moves much: eye corners, nose, temples, sides and top of the head. They hold pose and bone structure.
STEADY: Final = (33, 133, 362, 263, 6, 168, 197, 195, 5, 4, 1, 98, 327, 127, 356, 234, 454, 93, 323, 10, 109, 338)

LEVEL: Final = 1.0  # degrees that a head may turn for nothing
EVEN: Final = 0.08  # of a blendshape, that left and right may differ for nothing
TEMPERATURE: Final = 1.6  # of the verdicts: a face that just convinces these networks need not convince another


@dataclass(frozen=True)
class Weights:
    """How much each term counts."""

    emotion: float = 1.6
    movement: float = 1.0
    identity: float = 8.0
    age: float = 0.3
    gender: float = 4.0
    picture: float = 40.0
    colour: float = 30.0
    pose: float = 3500.0
    symmetry: float = 0.3  # left and right should differ as they did at the start ...
    sides: float = 6.0  # ... and no movement by much: per squared blendshape beyond `EVEN`
    turn: float = 0.0  # per square degree beyond `LEVEL`; only the predictor pays for it (tools/train_predictor.py)


class Start:
    """The face where a walk starts: what it looks like, where its parts are, who it is."""

    def __init__(self, steering: Steering, preview: Tensor, view: View) -> None:
        """`preview` (1, 3, side, side) of the start, `view` its face box."""
        with torch.no_grad():
            self.preview = preview.detach()
            self.view = view
            self.person = steering.person(self.preview, view)
            self.points = steering.points(self.preview, view)
            self.measures = measures(self.points)
            self.lopsidedness = lopsidedness(self.points)
        side = preview.shape[-1]
        pixels = (self.points.cpu().numpy() * side).astype(np.float32)
        self.allowed = {name: torch.from_numpy(mask).to(preview) for name, mask in _regions(pixels, side).items()}
        self.skin = torch.from_numpy(_skin(pixels, side)).to(preview)[None, None]


class Objective:
    """A goal's loss as seen from one start."""

    def __init__(self, steering: Steering, start: Start, goal: Goal, weights: Weights = Weights()) -> None:
        self._steering, self._start, self._goal, self._weights = steering, start, goal, weights
        self._turned = turned_from(start.points) if weights.turn or goal.turns else None
        self._held = torch.tensor([float(axis not in goal.turns) for axis in AXES]).to(start.points)

    def __call__(self, picture: Tensor, jitters: Sequence[Jitter]) -> dict[str, Tensor]:
        """The weighted terms of the loss for one preview; their sum is the loss (but for the code's own distance)."""
        start, weights, goal = self._start, self._weights, self._goal
        terms: dict[str, Tensor] = {}
        if goal.emotion is not None:
            verdicts = (self._steering.expression(picture, start.view, jitters) / TEMPERATURE).log_softmax(-1)
            terms["emotion"] = -weights.emotion * verdicts[..., goal.emotion].mean()
        points = self._steering.points(picture, start.view)
        if goal.movements:
            now = measures(points)
            terms["movement"] = (
                weights.movement
                * torch.stack(
                    [_outside(now[name] - start.measures[name], limits) for name, limits in goal.movements.items()]
                ).sum()
            )
        person = self._steering.person(picture, start.view)
        terms["identity"] = weights.identity * (1 - person.embedding @ start.person.embedding)
        terms["age"] = weights.age * ((person.age - start.person.age) / 10).square()
        terms["gender"] = weights.gender * (person.man - start.person.man).square()
        if not goal.turns:
            terms["pose"] = weights.pose * (points - start.points)[list(STEADY)].square().sum(1).mean()
        if self._turned is not None:
            turned = self._turned(points)
            terms["turn"] = weights.turn * F.relu((self._held * turned).abs() - LEVEL).square().sum()
            for axis, limits in goal.turns.items():
                terms[axis] = weights.movement * _outside(turned[AXES.index(axis)], limits)
        terms["symmetry"] = weights.symmetry * (lopsidedness(points) - start.lopsidedness).square().mean()
        terms["sides"] = weights.sides * F.relu(self._steering.sides(points).abs() - EVEN).square().sum()
        change = (picture - start.preview).abs().mean(1)
        kept = 1 - start.allowed[goal.region]
        terms["picture"] = weights.picture * (change * kept).sum() / kept.sum()
        low_pass = F.avg_pool2d((picture - start.preview) * start.skin, 16)
        terms["colour"] = weights.colour * low_pass.abs().sum() / (F.avg_pool2d(start.skin, 16).sum() * 3)
        return terms


def _outside(value: Tensor, limits: Range) -> Tensor:
    """How far a value lies outside a range: square near it, straight from one unit on, so that far goals don't drown the rest."""
    least, most = limits
    return F.smooth_l1_loss(value, value.detach().clamp(least, most))


def _regions(points: NDArray[np.float32], side: int) -> Mapping[Region, NDArray[np.float32]]:
    """(side, side) masks 0…1 with soft edges: where a walk may change the picture."""
    unit = side / 256
    oval = polygon(points, FACE_OVAL, side).astype(np.uint8)
    chin = np.zeros_like(oval)  # a jaw may drop
    chin[round(10 * unit) :] = oval[: side - round(10 * unit)]
    face = _grown(oval | chin, 5 * unit)
    rows = np.arange(side)[:, None]
    mouth = face * (rows > points[2, 1])  # below the nose
    eyes = np.zeros_like(face)
    for lids, corners in ((RIGHT_LIDS, RIGHT_EYE_CORNERS), (LEFT_LIDS, LEFT_EYE_CORNERS)):
        outline = np.concatenate([points[list(corners)], points[[index for pair in lids for index in pair]]])
        cv2.fillConvexPoly(eyes, cv2.convexHull(np.round(outline).astype(np.int32)), (1,))
    brows = face * (rows < points[6, 1])  # above the eyes' line
    masks: dict[Region, NDArray[np.uint8]] = {"face": face, "mouth": mouth, "eyes": _grown(eyes, 7 * unit), "brows": brows}
    return {name: _soft(mask, unit) for name, mask in masks.items()}


def _skin(points: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(side, side): the face without eyes, brows and mouth, where colour should stay."""
    unit = side / 256
    mask = polygon(points, FACE_OVAL, side).astype(np.uint8)
    for indices in (
        (70, 63, 105, 66, 107, 133, 145, 33),
        (300, 293, 334, 296, 336, 362, 374, 263),
        (61, 37, 0, 267, 291, 314, 17, 84),
    ):
        hole = np.zeros_like(mask)
        cv2.fillConvexPoly(hole, cv2.convexHull(np.round(points[list(indices)]).astype(np.int32)), (1,))
        mask &= 1 - _grown(hole, 6 * unit)
    return mask.astype(np.float32)


def _grown(mask: NDArray[np.uint8], pixels: float) -> NDArray[np.uint8]:
    n = 2 * round(pixels) + 1
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n))), np.uint8)


def _soft(mask: NDArray[np.uint8], unit: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2 * unit), np.float32)
