"""Attribute-level directions: what works, a little, on any face of a generator.

They are where the training of `predictor.py` starts, and the rig's controls that need no more than that.

Readouts: ridge regression of what is measured on drawn faces (movements of `geometry`, turn of the head, age, gender) on their
codes. The direction of one measure is the shortest step that changes it and no other: each readout with its part along the
conditions taken out, as in Han et al. (IJCAI 2021), for all conditions at once (a pseudo-inverse).
Emotions: the mean of the normalised instance offsets of faces that were searched, with the conditions projected out row by row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import UserError
from models.expression.geometry import MEASURES, measures
from models.expression.goals import EMOTION_GOALS, RIG_GOALS, SEARCHED, TURN_GOALS, Goal
from models.expression.paths import ExpressionPaths, read_tensors, write_tensors
from models.expression.preview import Generator, as_bytes, full_picture
from models.expression.rows import shaping_rows
from models.judge.eyes import Eyes
from models.judge.landmarks import pose
from models.judge.steer import STILL, Steering, View
from models.labels import EMOTIONS

FORMAT: Final = "speech2expression directions 1"
TURNS: Final = {name: sum(goal.turns[name]) / 2 for name, goal in TURN_GOALS.items()}
"""Degrees aimed at for 1; half or less arrives."""
POSE_ROWS: Final = slice(0, 5)  # the blocks up to 16² place the head; later rows only follow
CONDITIONS: Final = (*TURNS, "age", "man")
MEASURED: Final = (*MEASURES, *CONDITIONS, "happy")
SMILE: Final = 5.0  # log-odds of happy that the happy start adds; all other directions add none, so that a mouth opens unsmiling
FIRST_SEED: Final = 1000  # of the faces that are drawn to measure
FEW: Final = 10  # pictures without a face, and hardly any with one, that say: this generator draws none
RIDGE: Final = 0.3  # of the codes' mean squared length: best on held-out faces (correlation 0.73 to 0.96)

Floats = NDArray[np.float32]


class NoFacesError(UserError):
    """A generator's pictures show no faces, or too seldom."""


@dataclass(frozen=True)
class Observations:
    """Drawn faces, w (n, 512), and what is measured on them: `MEASURED`, each (n,)."""

    w: Floats
    values: Mapping[str, Floats]


@dataclass(frozen=True)
class Directions:
    """What `find_directions` made for one generator.

    offsets         name → (num_ws, 512) at 1: emotions, controls of the rig, turns, `less_smile` (per log-odds of happy)
    smile_readout   (513,): weights and constant that give the log-odds of happy from w
    """

    offsets: Mapping[str, Floats]
    smile_readout: Floats
    generator_hash: str

    def save(self, path: Path) -> None:
        """Raises `UserError` where the place can't be written."""
        tensors = {f"offset/{name}": offset.astype(np.float16) for name, offset in self.offsets.items()}
        metadata = {"format": FORMAT, "generator": self.generator_hash}
        write_tensors(path, {**tensors, "smile_readout": self.smile_readout}, metadata)


def load(path: Path, generator_hash: str | None = None) -> Directions:
    """Raises `UserError` where the file is missing, damaged or made for another generator."""
    tensors, metadata = read_tensors(path, FORMAT, generator_hash, "smile_readout")
    offsets = {
        name.removeprefix("offset/"): tensor.astype(np.float32) for name, tensor in tensors.items() if name.startswith("offset/")
    }
    return Directions(offsets, tensors["smile_readout"].astype(np.float32), metadata["generator"])


def observe(
    generator: Generator, eyes: Eyes, samples: int, progress: Callable[[float, str], None] = lambda _part, _what: None
) -> Observations:
    """Draw the pictures `seed:1000` … and measure the faces in them.

    Raises `NoFacesError` where fewer than half show a face, as soon as that is sure.
    """
    codes: list[Floats] = []
    rows: list[dict[str, float]] = []
    for number, seed in enumerate(range(FIRST_SEED, FIRST_SEED + samples)):
        progress(number / samples, "faces")
        w = generator.code_of_seed(seed)
        picture = full_picture(generator, generator.broadcast(w))
        try:
            face = eyes.detect(as_bytes(picture))
        except UserError:
            missed = number + 1 - len(rows)
            if missed > max(samples // 2, 1) or (missed > FEW and missed > 0.9 * (number + 1)):
                raise NoFacesError(
                    f"a generator of faces was expected, {len(rows)} of its first {number + 1} pictures show one; "
                    "directions can only be made for faces that lie as in FFHQ"
                ) from None
            continue
        codes.append(w[0].cpu().numpy())
        rows.append(_measured(eyes.steering, picture, View.of(face, picture.shape[-1])))
    values = {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}
    return Observations(np.array(codes, np.float32), values)


def _measured(steering: Steering, picture: torch.Tensor, view: View) -> dict[str, float]:
    side = picture.shape[-1]
    with torch.no_grad():
        points = steering.points(picture, view)
        person = steering.person(picture, view)
        happy = steering.expression(picture, view, STILL)[..., EMOTIONS.index("happy")].exp().mean()
    pitch, yaw, _ = pose(points.cpu().numpy() * side, side)
    moved = {name: float(value) for name, value in measures(points).items()}
    others = {"yaw": float(yaw), "pitch": float(pitch), "age": float(person.age), "man": float(person.man)}
    return {**moved, **others, "happy": float(torch.logit(happy, eps=1e-3))}


def find_directions(generator: Generator, observations: Observations, faces: Sequence[ExpressionPaths] = ()) -> Directions:
    """Directions from observations and from searched faces, named `seed:N`; without faces the emotions are geometric."""
    shaping = shaping_rows(generator)
    readouts = {name: _ridge(observations.w, values) for name, values in observations.values.items()}
    steps = np.linalg.pinv(np.stack([readouts[name][:-1] for name in MEASURED])).T  # row m changes measure m by 1 and no other

    def along(changes: Mapping[str, float], rows: slice) -> Floats:
        offset = np.zeros((generator.num_ws, observations.w.shape[1]), np.float32)
        offset[rows] = sum(change * steps[MEASURED.index(name)] for name, change in changes.items())
        return offset

    offsets = {name: along(_nearest(goal), shaping) for name, goal in {**EMOTION_GOALS, **RIG_GOALS}.items()}
    offsets["happy"] += along({"happy": SMILE}, shaping)
    offsets |= {turn: along({turn: degrees}, POSE_ROWS) for turn, degrees in TURNS.items()}
    if faces:
        conditions = np.linalg.qr(np.stack([readouts[name][:-1] for name in CONDITIONS], axis=1))[0].T.astype(np.float32)
        for emotion in EMOTION_GOALS:
            offsets[emotion] = _without(_mean([face.paths[EMOTIONS.index(emotion), -1] for face in faces]), conditions)
        for control in SEARCHED:
            offsets[control] = _without(_mean([face.rig[control] for face in faces]), conditions)
        offsets["less_smile"] = _less_smile(generator, faces, readouts["happy"])
    else:
        offsets["less_smile"] = along({"happy": -1.0}, shaping)
    return Directions(offsets, readouts["happy"], generator.graph_hash)


def _nearest(goal: Goal) -> dict[str, float]:
    """The smallest movements that reach a goal."""
    return {name: float(np.clip(0, *limits)) for name, limits in goal.movements.items()}


def _less_smile(generator: Generator, faces: Sequence[ExpressionPaths], readout: Floats) -> Floats:
    """The way to neutral per log-odds of happy: least squares through the origin over the faces that were searched."""
    way = np.zeros((generator.num_ws, len(readout) - 1), np.float32)
    total = 1e-6
    for face in faces:
        w = generator.code_of_seed(int(face.name.removeprefix("seed:")))
        smile = max(0.0, float(w[0].cpu().numpy() @ readout[:-1] + readout[-1]))
        way += smile * (face.neutral - generator.broadcast(w)[0].cpu().numpy())
        total += smile**2
    return np.asarray(way / total, np.float32)


def _ridge(w: Floats, values: Floats) -> Floats:
    """(513,) weights and constant of `values` on `w`."""
    centred = (w - w.mean(0)).astype(np.float64)
    gram = centred @ centred.T
    dual = np.linalg.solve(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), values - values.mean())
    weights = centred.T @ dual
    return np.append(weights, values.mean() - w.mean(0) @ weights).astype(np.float32)


def _mean(offsets: Sequence[Floats]) -> Floats:
    """Mean of the offsets at length one, as long as they are on average."""
    lengths = [float(np.linalg.norm(offset)) for offset in offsets]
    mean = np.mean([offset / length for offset, length in zip(offsets, lengths, strict=True)], axis=0)
    return np.asarray(mean / np.linalg.norm(mean) * np.mean(lengths), np.float32)


def _without(offset: Floats, conditions: Floats) -> Floats:
    """`offset` (…, 512) minus its part in the span of `conditions` (c, 512), row by row."""
    return np.asarray(offset - (offset @ conditions.T) @ conditions, np.float32)
