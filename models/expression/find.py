"""From a seed or a code to a face's `ExpressionPaths`: neutral first, then four emotions, then the rig.

A minute or so on one core; meant for a background process or `tools/search_directions.py`. What it sees with is opened by
`models.judge.eyes`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.expression.bank import load_predictor
from models.expression.evening import evened
from models.expression.goals import EMOTION_GOALS, NEUTRAL_GOAL, RIG_GOALS, SEARCHED, Goal
from models.expression.instance_search import Walk, search
from models.expression.levels import levelled
from models.expression.objective import Objective, Start
from models.expression.paths import ExpressionPaths
from models.expression.predictor import NEUTRAL_STEP, PathPredictor
from models.expression.preview import Generator, Preview, as_bytes, full_picture
from models.expression.progress import Progress, untold, within
from models.expression.resting import rested
from models.expression.rows import emotion_rows, shaping_rows
from models.judge.eyes import Eyes
from models.judge.steer import BOTH_WAYS, View
from models.labels import EMOTIONS, NEUTRAL

# Of what `find_paths` and `finished` make. Raise it by one with every change after which the same face gets other expressions: to
# the search, what it pays for, rest, evening or strengths, or to `models.judge.eyes`. What shows kept then counts as not there.
VERSION: Final = 6

START: Final = 0.7  # of what is predicted: a walk goes the rest in the face's own way


@dataclass(frozen=True)
class Blend:
    """How far a walk is followed, and how much of it is the face's own, the rest predicted: Han et al.'s λ, 0…1."""

    scale: float
    own: float

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not 0 <= self.own <= 1:
            raise ValueError(f"own is a part of a walk, 0 to 1, got {self.own}")

    def of(self, predicted: Tensor, walked: Tensor) -> Tensor:
        """What is tried of a walk, given where the predictor leads."""
        return self.scale * torch.lerp(predicted, walked, self.own)


BLENDS: Final = (Blend(0.9, 1.0), Blend(1.1, 1.0), Blend(1.0, 0.6))  # tried on full pictures
# After the walks an emotion grows along its line until the less convinced of the two networks gives it `CONVINCED`, but no
# further than the person stays (`Eyes.same_person`). Without it some faces stay at a hint of sadness.
STRONGER: Final = (1.0, 1.15, 1.3, 1.45)
CONVINCED: Final = 0.8

Floats = NDArray[np.float32]

ROUND: Final = Walk(steps=4)
ROUNDS: Final = 2
# Weighted losses on the full picture below which a walk has arrived: 0.83 of both networks' probability, 2 hundredths short.
ARRIVED: Final = {"emotion": 0.5, "movement": 1.5}


def find_paths(
    generator: Generator,
    face: int | Tensor,
    eyes: Eyes,
    progress: Progress = untold,
    *,
    predictor: PathPredictor | None = None,
) -> ExpressionPaths:
    """The paths of one face.

    face        a seed (as in `seed:N`) or a code w (1, 512) or ws (1, num_ws, 512)
    eyes        the networks that steer and the detector
    progress    called with the part that is done (0…1) and what is being done
    predictor   says where the walks start; the shipped one unless given

    Raises `UserError` where the picture shows no face.
    """
    predictor = predictor or load_predictor(generator.graph_hash)
    name, ws = _named_code(generator, face)
    goals = {**EMOTION_GOALS, **{control: RIG_GOALS[control] for control in SEARCHED}}
    parts = 1 + len(goals)
    walking, finishing = within(progress, 0.0, 0.6), within(progress, 0.6, 1.0)

    walking(0.0, "neutral")
    scene = _Scene(generator, eyes, ws, [ws])
    code = ws[0].cpu().numpy()

    def predicted(name: str) -> Tensor:
        return torch.from_numpy(predictor.offset(name, code)).to(ws)

    neutral = ws + scene.reach(NEUTRAL_GOAL, predicted(NEUTRAL_STEP))

    scene = _Scene(generator, eyes, neutral, [neutral, ws])
    ends: dict[str, Tensor] = {}
    for number, (goal_name, goal) in enumerate(goals.items()):
        walking((1 + number) / parts, goal_name)
        ends[goal_name] = scene.reach(goal, predicted(goal_name))
        if goal.emotion is not None:
            strong = scene.strengthened(ends[goal_name], goal.emotion)
            ends[goal_name] = torch.lerp(predicted(goal_name), strong, eyes.trusted)
    paths = np.zeros((len(EMOTIONS), 1, *neutral.shape[1:]), np.float32)
    for emotion in EMOTION_GOALS:
        paths[EMOTIONS.index(emotion), -1] = ends[emotion].cpu().numpy()
    rig = {**predictor.controls, **{control: ends[control].cpu().numpy() for control in SEARCHED}}
    neutral = torch.lerp(ws + predicted(NEUTRAL_STEP), neutral, eyes.trusted)
    found = ExpressionPaths(neutral[0].cpu().numpy(), paths, rig, generator.graph_hash, name)
    found = finished(generator, code, found, eyes, finishing)
    progress(1.0, "done")
    return found


def finished(
    generator: Generator, start: Floats, face: ExpressionPaths, eyes: Eyes, progress: Progress = untold
) -> ExpressionPaths:
    """What all expressions end with, predicted or found: a calm rest, sides and turns put right, strengths set by looking.

    `start` is ws (num_ws, w_dim) of the face as it is drawn. Half a minute of a core. Raises `UserError` where the neutral
    picture shows no face.
    """
    progress(0.0, "rest")
    even = evened(generator, rested(generator, start, face, eyes), eyes, within(progress, 0.0, 0.7))
    return levelled(generator, even, eyes, within(progress, 0.7, 1.0))


class _Scene:
    """One start as both the preview and the full picture show it."""

    def __init__(self, generator: Generator, eyes: Eyes, ws: Tensor, codes: list[Tensor]) -> None:
        self._generator, self._steering, self._ws = generator, eyes.steering, ws
        self._same_person = eyes.same_person
        picture = full_picture(generator, ws)
        self._view = View.of(eyes.detect(as_bytes(picture)), picture.shape[-1])
        self.preview = Preview(generator, codes)
        self._full_start = self._start_as(picture)

    def reach(self, goal: Goal, predicted: Tensor) -> Tensor:
        """(num_ws, 512): the offset that reaches a goal, walked to in rounds; in between the preview learns where it led."""
        end = START * predicted
        for number in range(ROUNDS):
            self.preview.learn(self._ws + end)
            objective = Objective(self._steering, self._start_as(self.preview(self._ws)), goal)
            rows = (shaping_rows if goal.emotion in (None, NEUTRAL) else emotion_rows)(self._generator)
            walked = search(self.preview, self._ws, objective, ROUND, first=end, rows=rows, seed=number)[-1]
            end, arrived = self._best([blend.of(predicted, walked) for blend in BLENDS], goal)
            if arrived:
                break
        return end

    def _start_as(self, picture: Tensor) -> Start:
        return Start(self._steering, picture, self._view)

    def _best(self, offsets: Sequence[Tensor], goal: Goal) -> tuple[Tensor, bool]:
        """The one of `offsets` that is best by the same objective on full pictures, and whether it has arrived."""
        objective = Objective(self._steering, self._full_start, goal)
        with torch.no_grad():
            tried = [objective(full_picture(self._generator, self._ws + offset), BOTH_WAYS) for offset in offsets]
        losses = [sum(float(term) for term in terms.values()) for terms in tried]
        best = int(np.argmin(losses))
        short = {name: float(tried[best][name]) for name in ("emotion", "movement") if name in tried[best]}
        return offsets[best], all(short[name] <= ARRIVED[name] for name in short)

    def strengthened(self, offset: Tensor, emotion: int) -> Tensor:
        """As much more of `offset` as makes both networks sure and leaves the person the same, on full pictures."""
        strongest = offset
        for scale in STRONGER:
            picture = full_picture(self._generator, self._ws + scale * offset)
            with torch.no_grad():
                sure = self._steering.expression(picture, self._view, BOTH_WAYS)[..., emotion].exp().mean(1).min()
                same = self._steering.person(picture, self._view).embedding @ self._full_start.person.embedding
            if same < self._same_person:
                break
            strongest = scale * offset
            if sure >= CONVINCED:
                break
        return strongest


def _named_code(generator: Generator, face: int | Tensor) -> tuple[str, Tensor]:
    if isinstance(face, int):
        return f"seed:{face}", generator.broadcast(generator.code_of_seed(face)).clone()
    ws = generator.broadcast(face).clone() if face.ndim == 2 else face.clone()
    return "code:" + hashlib.sha256(ws.cpu().numpy().tobytes()).hexdigest()[:12], ws
