"""Amortised search: a predictor learns from the search's own gradients on one drawn face after another.

The predictor leads a face to neutral and to expressions, the search's objective looks at previews of that, and its gradient
corrects the predictor. Steps have the gradient's direction and not its length, as in the search. No face is walked to its end,
and what is learnt holds for all; what pleases the networks on one face only has no part in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from models.errors import UserError
from models.expression.goals import EMOTION_GOALS, NEUTRAL_GOAL, RIG_GOALS, SHARED, SIGNED, TURN_GOALS, Goal
from models.expression.instance_search import random_jitters
from models.expression.objective import Objective, Start, Weights
from models.expression.predictor import KNOTS, NEUTRAL_STEP, PathPredictor
from models.expression.preview import Generator, Previews, as_bytes, full_picture
from models.expression.rows import COARSE, shaping_rows
from models.files import written_beside
from models.judge.eyes import Eyes
from models.judge.steer import BOTH_WAYS, View
from models.labels import EMOTIONS

FIRST_SEED: Final = 10_000  # of the faces that are drawn to learn from
CODES: Final = 20_000  # from which mean and principal components come
PROGRESS: Final = "progress"  # in a file of what has learnt: the next seed, and minutes
AVERAGE: Final = "average."  # before the names of averages, where they are saved
LENGTH: Final = 0.35  # of a step in W+ at the beginning
MOMENTUM: Final = 0.9
DISTANCE: Final = 0.005  # pull towards no offset: else what no network sees wanders off, and with it the person
STILL: Final = slice(COARSE)  # of the rows that shape a face, that no emotion moves once it is held
GOALS: Final[Mapping[str, Goal]] = {NEUTRAL_STEP: NEUTRAL_GOAL, **EMOTION_GOALS, **RIG_GOALS, **TURN_GOALS}
CALIBRATED_FACES: Final = 12
SCALES: Final = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
PERSON_LESS: Final = 0.03  # of the cosine that a search asks for: what no emotion falls below, in the mean, for strength
CONVINCED: Final = 0.9  # probability by the less convinced network at which an emotion is strong enough

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Teaching:
    """How a predictor learns.

    hold     what learns; nothing: neutral and all that is predicted, else only these, which may be controls of the rig that are
             the same for all faces
    own      how much farther the drawn face itself moves than all faces do
    each     goals that are walked to per face, after neutral
    weights  what counts on the way to an expression, and on the way to rest
    """

    hold: Sequence[str] = ()
    own: float = 2.5
    each: int = 2
    weights: Weights = field(default_factory=Weights)
    weights_at_rest: Weights = field(default_factory=Weights)


class Amortisation:
    """A predictor's matrices on their way, and everything that corrects them."""

    def __init__(
        self,
        generator: Generator,
        eyes: Eyes,
        predictor: PathPredictor,
        look_at: Previews,
        teaching: Teaching = Teaching(),
        seed: int = FIRST_SEED,
    ) -> None:
        """`seed` is the first face's. Weights of rows become part of the matrices that learn."""
        self.generator, self.predictor, self.seed = generator, predictor, seed
        self._steering, self._detect = eyes.steering, eyes.detect
        self._look_at, self._teaching = look_at, teaching
        self._rows = shaping_rows(generator)
        start = _matrices(predictor, self._rows, [name for name in teaching.hold if name in SHARED])
        self.matrices = {name: torch.from_numpy(matrix.copy()) for name, matrix in start.items()}
        self._velocity = {name: torch.zeros_like(matrix) for name, matrix in self.matrices.items()}
        self._still = [name for name in teaching.hold if name not in (NEUTRAL_STEP, *TURN_GOALS)]
        for name in self._still:
            self.matrices[name][STILL] = 0
        self._average = {name: matrix.clone() for name, matrix in self.matrices.items()}

    def save(self, path: Path, minutes: float = 0.0) -> None:
        """What has learnt so far, so that `restore` can go on from there. Raises `UserError`."""
        learning = self._teaching.hold or self.matrices
        tensors = {name: self.matrices[name].numpy() for name in learning}
        tensors |= {f"{AVERAGE}{name}": self._average[name].numpy() for name in learning}
        with written_beside(path) as beside:
            save_file({**tensors, PROGRESS: np.array([self.seed, minutes])}, beside)

    def restore(self, path: Path) -> float:
        """Go on from what was saved; returns its minutes. Raises `UserError` where the file is damaged or of something else."""
        try:
            saved = load_file(path)
            self.seed, minutes = int(saved[PROGRESS][0]), float(saved[PROGRESS][1])
            for name in saved.keys() & self.matrices.keys():
                self.matrices[name].copy_(torch.from_numpy(saved[name]))
                self._average[name].copy_(torch.from_numpy(saved[f"{AVERAGE}{name}"]))
        except (OSError, SafetensorError, KeyError, IndexError, RuntimeError, TypeError) as error:
            raise UserError(f"{path} can't be gone on from ({' '.join(str(error).split())[:100]}): remove it") from error
        return minutes

    def trained(self) -> PathPredictor:
        """The predictor as it is now."""
        return self._with(self.matrices)

    def average_in(self, kept: float) -> None:
        """Let the average of the matrices follow them; it keeps that share of itself."""
        for name, matrix in self.matrices.items():
            self._average[name].lerp_(matrix, 1 - kept)

    def averaged(self) -> PathPredictor:
        """The predictor as it was in the mean."""
        return self._with(self._average)

    def _with(self, learnt: Mapping[str, Tensor]) -> PathPredictor:
        """The predictor with what has learnt of these matrices."""
        known = self.predictor
        matrices, controls, row_weights = dict(known.matrices), dict(known.controls), dict(known.row_weights)
        for name in self._teaching.hold or learnt:
            if name in SHARED:
                controls[name] = np.zeros_like(controls[name])
                controls[name][self._rows] = learnt[name][..., 0].numpy()
            else:
                matrices[name] = learnt[name].numpy().copy()
                row_weights.pop(name, None)
        return replace(known, matrices=matrices, controls=controls, row_weights=row_weights)

    def step(self, pace: float) -> dict[str, float]:
        """One face: neutral and some goals, or what is held. Returns the losses by goal; none where the picture shows no face."""
        hold = self._teaching.hold
        random = np.random.RandomState(self.seed)
        ws = self.generator.broadcast(self.generator.code_of_seed(self.seed)).clone()
        self.seed += 1
        features = torch.from_numpy(self.predictor.features(ws[0, 0].numpy()))
        to_rest = not hold or NEUTRAL_STEP in hold
        first = ws if to_rest else self._led(NEUTRAL_STEP, ws, features)
        look = self._look_at(first, True)
        with torch.no_grad():
            picture = look(first)
        try:
            view = View.of(self._detect(as_bytes(picture)), picture.shape[-1])
        except UserError:
            return {}
        start = Start(self._steering, picture, view)
        losses, names = {}, [name for name in hold if name != NEUTRAL_STEP]
        if to_rest:
            first, picture, losses[NEUTRAL_STEP] = self._walk(NEUTRAL_STEP, ws, start, features, pace, random)
            start = Start(self._steering, picture, view)
        if not hold:
            others = [name for name in self.matrices if name != NEUTRAL_STEP]
            names = random.choice(others, self._teaching.each, replace=False).tolist()
        for name in names:
            _, _, losses[name] = self._walk(name, first, start, features, pace, random)
        return losses

    def _led(self, name: str, ws: Tensor, features: Tensor, way: float = 1.0) -> Tensor:
        """Where the predictor leads from `ws`; with a `way` of −1 to the other side."""
        end = ws.clone()
        matrix = self.matrices[name]
        end[0, self._rows] += way * (matrix @ features[: matrix.shape[-1]])
        return end

    def _walk(
        self, name: str, ws: Tensor, start: Start, features: Tensor, pace: float, random: np.random.RandomState
    ) -> tuple[Tensor, Tensor, float]:
        """Where the predictor leads from `ws`, the picture there, the loss; and the predictor is corrected."""
        teaching, goal, way = self._teaching, GOALS[name], 1.0
        if name in SIGNED and random.rand() < 0.5:
            goal, way = goal.mirrored(), -1.0
        end = self._led(name, ws, features, way)
        moved = end.clone().requires_grad_()
        picture = self._look_at(end, False)(moved)
        weights = teaching.weights_at_rest if name == NEUTRAL_STEP else teaching.weights
        terms = Objective(self._steering, start, goal, weights)(picture, random_jitters(random, 2))
        terms["distance"] = DISTANCE * (moved - ws).square().sum()
        loss = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(loss, moved)
        direction = way * gradient[0, self._rows] / gradient.norm().clamp_min(1e-12)
        # The constant moves all faces; the others move faces like this one, this one so many times as far as all.
        told = torch.cat([features[:1], teaching.own * features[1:] / features[1:].square().sum().clamp_min(1e-6)])
        velocity = self._velocity[name]
        velocity.mul_(MOMENTUM).add_(direction[..., None] * told[: velocity.shape[-1]], alpha=1 - MOMENTUM)
        if name in self._still:
            velocity[STILL] = 0
        self.matrices[name].sub_(velocity, alpha=pace * LENGTH)
        return end, picture.detach(), float(loss.detach())


def _matrices(predictor: PathPredictor, rows: slice, controls: Sequence[str]) -> dict[str, Floats]:
    """All that a predictor knows as matrices: weights of rows in them, and `controls` that are the same for all faces, of one
    feature, the constant."""
    constant = {name: predictor.controls[name][rows, :, None] for name in controls}
    return {**predictor.with_plain_rows().matrices, **constant}


def drawn_codes(generator: Generator) -> Floats:
    """(CODES, 512): codes of random faces, as `code_of_seed` draws them."""
    parts = [range(first, first + CODES // 20) for first in range(0, CODES, CODES // 20)]
    return np.concatenate([generator.codes_of_seeds(seeds).cpu().numpy() for seeds in parts])


def calibrated(
    predictor: PathPredictor,
    generator: Generator,
    eyes: Eyes,
    emotions: Sequence[str] = tuple(EMOTION_GOALS),
    tell: Callable[[str], None] = lambda _: None,
) -> PathPredictor:
    """Each emotion as strong as convinces the less convinced network in the mean, the person staying; knots at even log-odds.

    Judged on full pictures of the first `CALIBRATED_FACES` faces from `FIRST_SEED` on that are seen.
    """
    steering = eyes.steering
    fine = np.linspace(0, 1, 7)
    matrices, places = dict(predictor.matrices), dict(predictor.places)
    scenes: list[tuple[Floats, Tensor, View, Tensor]] = []
    for seed in range(FIRST_SEED, FIRST_SEED + 2 * CALIBRATED_FACES):
        ws = generator.broadcast(generator.code_of_seed(seed))[0].cpu().numpy()
        neutral = torch.from_numpy(ws + predictor.offset(NEUTRAL_STEP, ws))[None]
        picture = full_picture(generator, neutral)
        try:
            view = View.of(eyes.detect(as_bytes(picture)), picture.shape[-1])
        except UserError:
            continue
        with torch.no_grad():
            scenes.append((ws, neutral, view, steering.person(picture, view).embedding))
        if len(scenes) == CALIBRATED_FACES:
            break

    def seen(emotion: str, scale: float) -> tuple[float, float, float]:
        """Means over the faces: probability by the less convinced network, log-odds of the mean, cosine to the neutral person."""
        rows = []
        for ws, neutral, view, person in scenes:
            offset = torch.from_numpy(scale * predictor.offset(emotion, ws))
            picture = full_picture(generator, neutral + offset)
            with torch.no_grad():
                both = steering.expression(picture, view, BOTH_WAYS)[..., EMOTIONS.index(emotion)].exp().mean(1)
                same = steering.person(picture, view).embedding @ person
            rows.append((float(both.min()), float(torch.logit(both.mean(), eps=1e-4)), float(same)))
        sure, odds, same_person = np.mean(rows, axis=0).tolist()
        return sure, odds, same_person

    for emotion in emotions:
        chosen = SCALES[0]
        for scale in SCALES:
            sure, _, same = seen(emotion, scale)
            tell(f"{emotion} × {scale}: {sure:.2f} sure, the same person {same:.2f}")
            if same < eyes.same_person - PERSON_LESS and scale > SCALES[0]:
                break
            chosen = scale
            if sure >= CONVINCED:
                break
        rising = np.maximum.accumulate([seen(emotion, chosen * float(part))[1] for part in fine])
        evenly = np.interp(np.linspace(rising[0], rising[-1], KNOTS + 1)[1:], rising, fine)
        places[emotion] = np.append(evenly[:-1], 1).astype(np.float32)
        matrices[emotion] = (chosen * matrices[emotion]).astype(np.float32)
    return replace(predictor, matrices=matrices, places=places)
