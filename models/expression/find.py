"""From a seed or a code to a face's `ExpressionPaths`: neutral first, then four emotions, then the rig.

A minute or two on one core; meant for a background process or `tools/search_directions.py`. Needs the networks that steer
(`models.judge`).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.expression.bank import load_directions
from models.expression.directions import TURNS, Directions
from models.expression.goals import EMOTION_GOALS, NEUTRAL_GOAL, RIG_GOALS, Goal
from models.expression.instance_search import Walk, search
from models.expression.objective import Objective, Start
from models.expression.paths import ExpressionPaths
from models.expression.preview import Generator, Preview, as_bytes, full_picture
from models.judge.measure import Detector
from models.judge.steer import STILL, Jitter, Steering, View
from models.labels import EMOTIONS

KNOTS: Final = 3  # strengths 1/3, 2/3 and 1: slight, clear, full
SCALES: Final = (0.8, 1.0, 1.2, 1.4)  # of what a walk found, tried on full pictures
BOTH_WAYS: Final = (*STILL, Jitter(mirrored=True))

Progress = Callable[[float, str], None]


NEUTRAL_WALK: Final = Walk(steps=11)
EMOTION_WALK: Final = Walk(steps=13)
RIG_WALK: Final = Walk(steps=8, jitters=0)


def find_paths(
    generator: Generator,
    face: int | Tensor,
    networks: Path,
    progress: Progress = lambda _part, _what: None,
    *,
    directions: Directions | None = None,
) -> ExpressionPaths:
    """The paths of one face.

    face      a seed (as in `seed:N`) or a code w (1, 512) or ws (1, num_ws, 512)
    networks  the folder of the networks that steer and of the detector
    progress  called with the part that is done (0…1) and what is being done
    directions  attribute-level directions to start the walks from; the shipped ones unless given

    Raises `UserError` where a network is missing or the picture shows no face.
    """
    steering, detect = Steering(networks), Detector(networks)
    directions = directions or load_directions(generator.graph_hash)
    name, ws = _named_code(generator, face)
    goals = {**EMOTION_GOALS, **RIG_GOALS}
    parts = 1 + len(goals)

    progress(0.0, "neutral")
    scene = _Scene(generator, steering, detect, ws, [ws])
    neutral = ws + scene.best(search(scene.preview, ws, scene.objective(NEUTRAL_GOAL), NEUTRAL_WALK)[-1], NEUTRAL_GOAL)

    scene = _Scene(generator, steering, detect, neutral, [neutral, ws])
    ends: dict[str, Tensor] = {}
    for number, (goal_name, goal) in enumerate(goals.items()):
        progress((1 + number) / parts, goal_name)
        first = torch.from_numpy(directions.start(goal_name)).to(neutral)
        walk = RIG_WALK if goal.emotion is None else EMOTION_WALK
        trail = search(scene.preview, neutral, scene.objective(goal), walk, first=first)
        ends[goal_name] = scene.best(trail[-1], goal)
    paths = np.zeros((len(EMOTIONS), KNOTS, *neutral.shape[1:]), np.float32)
    for emotion in EMOTION_GOALS:
        index = EMOTIONS.index(emotion)
        for knot, part in enumerate(scene.even_steps(ends[emotion], index)):
            paths[index, knot] = part * ends[emotion].cpu().numpy()
    progress(1.0, "done")
    rig = {control: ends[control].cpu().numpy() for control in RIG_GOALS} | {turn: directions.offsets[turn] for turn in TURNS}
    return ExpressionPaths(neutral[0].cpu().numpy(), paths, rig, generator.graph_hash, name)


class _Scene:
    """One start as both the preview and the full picture show it."""

    def __init__(self, generator: Generator, steering: Steering, detect: Detector, ws: Tensor, codes: list[Tensor]) -> None:
        self._generator, self._steering, self._ws = generator, steering, ws
        picture = full_picture(generator, ws)
        self._view = View.of(detect(as_bytes(picture)), picture.shape[-1])
        self.preview = Preview(generator, codes)
        with torch.no_grad():
            self._start = Start(steering, self.preview(ws), self._view)
        self._full_start = Start(steering, picture, self._view)

    def objective(self, goal: Goal) -> Objective:
        return Objective(self._steering, self._start, goal)

    def best(self, offset: Tensor, goal: Goal) -> Tensor:
        """The offset at the one of `SCALES` that is best by the same objective on full pictures."""
        objective = Objective(self._steering, self._full_start, goal)
        with torch.no_grad():
            losses = [
                sum(
                    float(term)
                    for term in objective(full_picture(self._generator, self._ws + scale * offset), BOTH_WAYS).values()
                )
                for scale in SCALES
            ]
        return SCALES[int(np.argmin(losses))] * offset

    def even_steps(self, offset: Tensor, emotion: int) -> list[float]:
        """How far along `offset` each knot lies, so that the log-odds of the emotion grow by about the same from knot to knot."""
        fine = np.linspace(0, 1, 9)
        with torch.no_grad():
            logits = [
                float(
                    torch.logit(
                        self._steering.expression(self.preview(self._ws + float(part) * offset), self._view, BOTH_WAYS)[
                            ..., emotion
                        ]
                        .exp()
                        .mean(),
                        eps=1e-4,
                    )
                )
                for part in fine
            ]
        rising = np.maximum.accumulate(logits)
        evenly = np.interp(np.linspace(rising[0], rising[-1], KNOTS + 1)[1:-1], rising, fine)
        straight = np.arange(1, KNOTS) / KNOTS
        return [*np.clip(evenly, straight - 0.12, straight + 0.12).tolist(), 1.0]


def _named_code(generator: Generator, face: int | Tensor) -> tuple[str, Tensor]:
    if isinstance(face, int):
        return f"seed:{face}", generator.broadcast(generator.code_of_seed(face)).clone()
    ws = generator.broadcast(face).clone() if face.ndim == 2 else face.clone()
    return "code:" + hashlib.sha256(ws.cpu().numpy().tobytes()).hexdigest()[:12], ws
