"""A small network of ours that stands in for the networks that steer, where those are not at hand: on users' machines.

It learnt from them on drawn faces (`tools/train_student.py`): what faceapi and gear_e2 say, and who, how old and of which gender
faceres sees. One crop of 112² in, everything out. Good for drawn faces only, and like those networks it never judges.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.errors import UserError
from models.judge.steer import (
    STILL,
    Jitter,
    Person,
    View,
    blendshape_points,
    left_minus_right,
    mesh_crop,
    mesh_points,
    sample,
)
from models.labels import EMOTIONS

WEIGHTS_FILE: Final = Path(__file__).parent / "weights" / "student.safetensors"
SIDE: Final = 112
MARGIN: Final = 1.2  # face boxes of the crop's side
STEM: Final = 24
STAGES: Final = ((48, 2), (96, 2), (160, 1))  # channels and blocks; each halves the picture
SQUEEZED: Final = 32  # channels that keep their place on the way to the answers
EMBEDDING: Final = 128
TEACHERS: Final = ("faceapi", "gear_e2")
YEARS: Final = 100.0


class Seen(NamedTuple):
    """What the student sees in n crops.

    verdicts (n, 2, 5) log-probabilities as each of `TEACHERS` would give them; embedding (n, EMBEDDING) of length one, faceres'
    1024 numbers turned so that cosines stay; age (n,) in years; man (n,) log-odds.
    """

    verdicts: Tensor
    embedding: Tensor
    age: Tensor
    man: Tensor


class Student(nn.Module):
    """Crops (n, 3, SIDE, SIDE), RGB, 0…1 → `Seen`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM, 5, 2, 2, bias=False), nn.BatchNorm2d(STEM), nn.SiLU())
        blocks: list[nn.Module] = []
        channels = STEM
        for width, count in STAGES:
            for number in range(count):
                blocks.append(_Block(channels, width, stride=1 if number else 2))
                channels = width
        self.body = nn.Sequential(*blocks, nn.Conv2d(channels, SQUEEZED, 1, bias=False), nn.BatchNorm2d(SQUEEZED), nn.SiLU())
        places = (SIDE // 2 ** (1 + len(STAGES))) ** 2
        self.expression = _answers(SQUEEZED * places, 96, len(TEACHERS) * len(EMOTIONS))
        self.person = _answers(SQUEEZED * places, 160, EMBEDDING + 2)

    def forward(self, crops: Tensor) -> Seen:
        features = self.body(self.stem((crops - 0.5) * 4)).flatten(1)
        verdicts = self.expression(features).float().view(-1, len(TEACHERS), len(EMOTIONS)).log_softmax(-1)
        embedding, age, man = self.person(features).float().split((EMBEDDING, 1, 1), 1)
        return Seen(verdicts, F.normalize(embedding), YEARS * age[:, 0], man[:, 0])


class _Block(nn.Module):
    """Two 3×3 convolutions beside a short cut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.short = nn.Identity() if stride == 1 else nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, width, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.way(x) + self.short(x))


def _answers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def load_student(path: Path = WEIGHTS_FILE) -> Student:
    """Frozen, in evaluation mode. Raises `UserError` where the file is missing or not a student's."""
    student = Student()
    try:
        student.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(
            f"the student's weights were expected at {path} ({' '.join(str(error).split())[:100]}): "
            "take the published file, or make it with python -m tools.train_student"
        ) from error
    return student.eval().requires_grad_(False)


class StudentSteering:
    """The student, a face mesh and blendshapes as `models.judge.steer.Steering`."""

    def __init__(self, student: Student, mesh: nn.Module, blendshapes: nn.Module) -> None:
        """`mesh`: crops (n, 256, 256, 3) → the face mesh as the first of its outputs; `blendshapes`: 146 of its points
        (1, 146, 2) → the 52 scores as its only one (`models.judge.face_mesh`)."""
        self._student, self._mesh, self._blendshapes = student, mesh, blendshapes

    def expression(self, image: Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> Tensor:
        """(2, jitters, 5): log-probabilities of a picture (1, 3, h, w), forced, as `EMOTIONS`."""
        matrices = torch.stack([view.matrix(MARGIN, jitter=jitter) for jitter in jitters])
        seen: Seen = self._student(sample(image, matrices, SIDE, fine=2))
        return seen.verdicts.transpose(0, 1)

    def person(self, image: Tensor, view: View) -> Person:
        """Who is in one picture (1, 3, h, w)."""
        seen: Seen = self._student(sample(image, view.matrix(MARGIN)[None], SIDE, fine=2))
        return Person(seen.embedding[0], seen.age[0], seen.man[0].sigmoid())

    def points(self, image: Tensor, view: View) -> Tensor:
        """(478, 2): the face mesh in units of the picture's side, y down."""
        return mesh_points(self._mesh(mesh_crop(image, view))[0], view)

    def sides(self, points: Tensor) -> Tensor:
        """(14,): of such points, how much more each of `SIDED_BLENDSHAPES` is seen on the left than on the right, −1…1."""
        (scores,) = self._blendshapes(blendshape_points(points))
        return left_minus_right(scores)
