"""Networks that steer a search: expression, identity and landmarks as torch modules with gradients.

Pictures here are previews: float (n, 3, side, side), RGB, 0…1, of faces aligned like FFHQ. Crops are affine samplings of a face
box that was found once (on the neutral face), so that their place does not depend on the picture that is steered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from models.judge.crops import FaceBox
from models.judge.landmarks import BLENDSHAPE_POINTS, SIDED_BLENDSHAPES
from models.judge.measure import BGR_MEAN
from models.judge.networks import FACEAPI_CLASSES, FER_CLASSES, network_file
from models.judge.torch_import import torch_module
from models.labels import EMOTIONS

_LUMA: Final = (0.299, 0.587, 0.114)


class Jitter(NamedTuple):
    """How an expression crop departs from the box: shift in box sides, size, mirrored or not."""

    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    mirrored: bool = False


class Person(NamedTuple):
    """Embedding of length one, (1024,) of faceres or (128,) of our student; age in years, probability of a man."""

    embedding: Tensor
    age: Tensor
    man: Tensor


STILL: Final = (Jitter(),)
BOTH_WAYS: Final = (*STILL, Jitter(mirrored=True))


@dataclass(frozen=True)
class View:
    """A face box in units of the picture's side (0…1): centre, longer side, roll in radians."""

    x: float
    y: float
    side: float
    roll: float

    @classmethod
    def of(cls, face: FaceBox, picture_side: int) -> "View":
        (x, y), n = face.centre, picture_side
        return cls(x / n, y / n, face.side / n, face.roll * torch.pi / 180)

    def moved(self, jitter: Jitter) -> "View":
        """The box a little elsewhere, or of another size."""
        return replace(self, x=self.x + jitter.dx * self.side, y=self.y + jitter.dy * self.side, side=self.side * jitter.scale)

    def matrix(self, margin: float, *, level: bool = False, jitter: Jitter = STILL[0]) -> Tensor:
        """(2, 3): takes crop coordinates −1…1 to picture coordinates −1…1 (the convention of `affine_grid`)."""
        half = self.side * margin * jitter.scale
        roll = torch.tensor(self.roll if level else 0.0)
        cos, sin = torch.cos(roll), torch.sin(roll)
        across = -half if jitter.mirrored else half
        return torch.stack(
            [
                torch.stack([cos * across, -sin * half, torch.tensor(2 * (self.x + jitter.dx * self.side) - 1)]),
                torch.stack([sin * across, cos * half, torch.tensor(2 * (self.y + jitter.dy * self.side) - 1)]),
            ]
        )


def sample(images: Tensor, matrices: Tensor, side: int, *, fine: int = 1) -> Tensor:
    """(n, 3, side, side): `images` seen through `matrices` (n, 2, 3).

    `fine` samples are averaged each way, so that shrinking does not alias.
    """
    grid = F.affine_grid(matrices.to(images), [len(matrices), 3, side * fine, side * fine], align_corners=False)
    crops = F.grid_sample(images.expand(len(matrices), -1, -1, -1), grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(crops, fine) if fine > 1 else crops


class Steering(Protocol):
    """What steers a search; every method is differentiable in its pictures (1, 3, h, w)."""

    def expression(self, image: Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> Tensor:
        """(2, jitters, 5): log-probabilities by two networks, forced, as `EMOTIONS`."""

    def person(self, image: Tensor, view: View) -> Person:
        """Who is seen."""

    def points(self, image: Tensor, view: View) -> Tensor:
        """(478, 2): the face mesh in units of the picture's side, y down."""

    def sides(self, points: Tensor) -> Tensor:
        """(14,): of such points, how much more each of `SIDED_BLENDSHAPES` is seen on the left than on the right, −1…1."""


class PublishedNetworks:
    """`Steering` by faceapi, gear_e2, faceres and MediaPipe's landmarks and blendshapes, opened from `folder`."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        def opened(name: str) -> torch.nn.Module:
            return torch_module(network_file(folder, name)).to(device)

        self._faceapi = _without_softmax(opened("faceapi"))
        self._gear = _without_softmax(opened("gear_e2"))
        self._faceres = opened("faceres")
        self._landmarks, self._blendshapes = opened("landmarks"), opened("blendshapes")
        self._faceapi_five = [FACEAPI_CLASSES.index(emotion) for emotion in EMOTIONS]
        self._fer_five = [FER_CLASSES.index(emotion) for emotion in EMOTIONS]

    def expression(self, image: Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> Tensor:
        """(2, jitters, 5): log-probabilities of a picture (1, 3, h, w) by faceapi and gear_e2, forced, as `EMOTIONS`."""
        colour, grey = expression_crops(image, view, jitters)
        faceapi, gear = self._faceapi(colour)[:, self._faceapi_five], self._gear(grey)[:, self._fer_five]
        return torch.stack([faceapi.log_softmax(1), gear.log_softmax(1)])

    def person(self, image: Tensor, view: View) -> Person:
        """Who is in one picture (1, 3, h, w), for faceres."""
        embedding, age, man = self._faceres(person_crop(image, view))
        return Person(F.normalize(embedding)[0], age[0] @ torch.arange(100.0).to(age), man[0, 0])

    def points(self, image: Tensor, view: View) -> Tensor:
        """(478, 2): the face mesh in units of the picture's side, y down."""
        return mesh_points(self._landmarks(mesh_crop(image, view))[0], view)

    def sides(self, points: Tensor) -> Tensor:
        """(14,): of such points, how much more each of `SIDED_BLENDSHAPES` is seen on the left than on the right, −1…1."""
        return left_minus_right(self._blendshapes(blendshape_points(points)))


def expression_crops(image: Tensor, view: View, jitters: Sequence[Jitter]) -> tuple[Tensor, Tensor]:
    """What faceapi (n, 3, 112, 112) and gear_e2 (n, 1, 64, 64) take of a picture (1, 3, h, w), one for each jitter."""
    matrices = torch.stack([view.matrix(1.0, jitter=jitter) for jitter in jitters])
    luma = torch.tensor(_LUMA).to(image).view(1, 3, 1, 1)
    grey = (sample(image, matrices, 64, fine=3) * luma).sum(1, keepdim=True) * 2 - 1
    return sample(image, matrices, 112, fine=2), grey


def person_crop(image: Tensor, view: View) -> Tensor:
    """What faceres (1, 3, 224, 224) takes of a picture (1, 3, h, w)."""
    bgr = sample(image, view.matrix(1.2)[None], 224).flip(1) * 255
    return bgr - torch.tensor(BGR_MEAN).to(image).view(1, 3, 1, 1)


def mesh_crop(image: Tensor, view: View) -> Tensor:
    """What MediaPipe's face mesh takes of a picture (1, 3, h, w): (1, 256, 256, 3), eyes level."""
    return sample(image, view.matrix(1.5, level=True)[None], 256).permute(0, 2, 3, 1)


def mesh_points(answer: Tensor, view: View) -> Tensor:
    """(478, 2) in units of the picture's side, y down, of the mesh that was found in `mesh_crop`."""
    matrix = view.matrix(1.5, level=True).to(answer)
    points = answer.reshape(478, 3)[:, :2] / 128 - 1
    in_picture: Tensor = ((points @ matrix[:, :2].T + matrix[:, 2]) + 1) / 2
    return in_picture


def blendshape_points(points: Tensor) -> Tensor:
    """What MediaPipe's blendshape network takes (1, 146, 2) of points (478, 2) in any unit."""
    return points[None, list(BLENDSHAPE_POINTS)]


def left_minus_right(blendshapes: Tensor) -> Tensor:
    """(14,), in the order of `SIDED_BLENDSHAPES`, of all 52."""
    left, right = (list(side) for side in zip(*SIDED_BLENDSHAPES.values(), strict=True))
    scores = blendshapes.reshape(-1)
    return scores[left] - scores[right]


def _without_softmax(network: torch.nn.Module) -> torch.nn.Module:
    """The same network giving logits: a softmax that has saturated leaves no gradient."""
    for name, _ in list(network.named_children()):
        if "softmax" in name.lower():
            setattr(network, name, torch.nn.Identity())
    return network
