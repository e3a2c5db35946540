"""The disentanglement-transformation score of expressions: `python -m tools.evaluate_disentanglement`.

After Han et al., "Disentangled Face Attribute Editing via Instance-Aware Latent Space Search" (IJCAI 2021), as their published
`dt_score/compute_score.py` counts: faces that do not show an emotion yet are walked to it in steps. Transformation is the share
that shows it after a step (its label has changed), disentanglement is 1 minus the share for which another attribute's label has
changed; the score is the area under disentanglement over transformation, the mean over the other attributes, at most 1.
"""

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.choose import open_backend
from models.errors import exit_on_user_error
from models.expression.goals import EMOTION_GOALS
from models.expression.paths import ExpressionPaths
from models.judge.crops import Picture
from models.judge.landmarks import pose
from models.judge.measure import AgeAndGender, Detector, Fer, Landmarks, SFace
from models.judge.networks import check_there
from models.labels import EMOTIONS
from tools import judged_faces
from tools.chosen_generator import chosen_generator
from tools.judging_networks import add_networks
from tools.ranges import whole

SIDE: Final = 256  # pixels of the pictures that are judged
OLD: Final = 40.0  # years: young or not, as the paper's attribute
STRANGER: Final = 0.363  # SFace's cosine below which two pictures show two people (OpenCV's threshold)
CONDITIONS: Final = ("man", "young", "looks left")  # the paper's gender, age and pose; beside them, not in its score: the person

Bools = NDArray[np.bool_]


class Labels(NamedTuple):
    """What is said of one picture: the emotion seen, `CONDITIONS`, and who it is (128,)."""

    emotion: str
    conditions: tuple[bool, ...]
    identity: NDArray[np.float32]


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    judge = Labeller(options.networks)
    generator = chosen_generator(options)
    walks: dict[str, list[list[Labels]]] = {emotion: [] for emotion in EMOTION_GOALS}
    judging = judged_faces.Judging()
    with open_backend(generator, SIDE) as backend:

        def look(face: ExpressionPaths) -> dict[str, list[Labels]]:
            rest = judge(backend.render(face.neutral[None]))
            seen = {}
            for emotion in EMOTION_GOALS:
                only = np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)]
                codes = [face.blend(only, step / options.steps) for step in range(1, options.steps + 1)]
                seen[emotion] = [rest, *(judge(backend.render(code)) for code in codes)]
            return seen

        for _, seen in judging.of(judged_faces.judged_faces(generator, options), look):
            for emotion, walk in seen.items():
                walks[emotion].append(walk)
    rows = {emotion: scores(walks[emotion], emotion) for emotion in EMOTION_GOALS}
    for emotion, row in rows.items():
        print(f"{emotion:6} " + "  ".join(f"{name} {value:.3f}" for name, value in row.items()))
    print("mean   " + "  ".join(f"{name} {np.mean([row[name] for row in rows.values()]):.3f}" for name in rows["happy"]))
    judging.tell()


class Labeller:
    """Says `Labels` of pictures. Raises `UserError` naming the networks that are missing."""

    def __init__(self, folder: Path) -> None:
        check_there(folder, "yunet", "landmarks", "fer", "faceres", "sface")
        self._detect, self._mesh, self._fer = Detector(folder), Landmarks(folder), Fer(folder)
        self._person, self._sface = AgeAndGender(folder), SFace(folder)

    def __call__(self, picture: Picture) -> Labels:
        """Raises `UserError` where no face is seen."""
        face = self._detect(picture)
        age, man = self._person(picture, face)
        yaw = pose(self._mesh(picture, face), picture.shape[1])[1]
        emotion = EMOTIONS[int(self._fer(picture, face).argmax())]
        return Labels(emotion, (man > 0.5, age < OLD, bool(yaw > 0)), self._sface(picture, face))


def scores(walks: list[list[Labels]], emotion: str) -> dict[str, float]:
    """The score for each of `CONDITIONS`, their mean, the same for the person, and how many show the emotion at the end."""
    begun = [walk for walk in walks if walk[0].emotion != emotion]
    target = np.array([[labels.emotion == emotion for labels in walk] for walk in begun])
    conditions = np.array([[labels.conditions for labels in walk] for walk in begun])
    strangers = np.array([[labels.identity @ walk[0].identity < STRANGER for labels in walk] for walk in begun])
    by_condition = {name: dt_score(target, conditions[..., column]) for column, name in enumerate(CONDITIONS)}
    mean = float(np.mean(list(by_condition.values())))
    return {"score": mean, **by_condition, "the same person": dt_score(target, strangers), "shown": float(target[:, -1].mean())}


def dt_score(target: Bools, condition: Bools) -> float:
    """The area under disentanglement over transformation, of labels (faces, steps) whose first step is the start."""
    transformation = (target != target[:, :1]).mean(0)
    disentanglement = 1 - (condition != condition[:, :1]).mean(0)
    return float(np.trapezoid(disentanglement, transformation))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_disentanglement", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged_faces.add_options(parser)
    parser.add_argument("--steps", type=whole("--steps"), default=10, metavar="N", help="of each walk (%(default)s)")
    add_networks(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
