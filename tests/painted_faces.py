"""A generator whose pictures say everything by the brightness of their parts, and steering that reads it there.

For tests of what learns from both; nothing of a face is drawn.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from face_meshes import mesh
from torch import Tensor

from models.errors import UserError
from models.judge.crops import FaceBox, Picture
from models.judge.eyes import Eyes
from models.judge.steer import STILL, Jitter, Person, View
from models.labels import EMOTIONS

WIDTH, NUM_WS, ROWS = 24, 8, slice(1, 6)
WHO = len(EMOTIONS)
PARTS = WHO + 15
"""Vertical stripes of a picture: one for each emotion, one that says who it is, others that move the mesh."""
MOVES = 0.02 * torch.randn(PARTS - WHO - 1, 478, 2, generator=torch.Generator().manual_seed(0))


class Painted:
    """Codes (1, NUM_WS, WIDTH): number k of the mean over `ROWS` is how bright stripe k is. Seeds in `faceless` are black."""

    num_ws = NUM_WS
    graph_hash = "e" * 64
    faceless: tuple[int, ...] = ()

    def rows_read(self, resolution: int) -> int:
        return ROWS.stop

    def code_of_seed(self, seed: int, psi: float = 0.7) -> Tensor:
        return self.codes_of_seeds([seed], psi)

    def codes_of_seeds(self, seeds: Sequence[int], psi: float = 0.7) -> Tensor:
        codes = [np.full(WIDTH, -90.0) if seed in self.faceless else np.random.RandomState(seed).randn(WIDTH) for seed in seeds]
        return torch.from_numpy(0.1 * np.array(codes)).float()

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, NUM_WS, -1)

    def features(self, ws: Tensor, resolution: int) -> Tensor:
        stripes = ws[:, ROWS].mean(1)[:, :PARTS]
        return F.interpolate(stripes[:, None, None], (1, resolution), mode="nearest").expand(1, 3, resolution, resolution)

    def synthesis(self, ws: Tensor) -> Tensor:
        return self.features(ws, 256)


def stripes(picture: Tensor) -> Tensor:
    """(PARTS,): how bright each stripe is, around zero."""
    return F.adaptive_avg_pool2d(picture[:, :1], (1, PARTS))[0, 0, 0] - 0.5


class Reads:
    """`Steering` by the stripes."""

    def expression(self, image: Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> Tensor:
        return (12 * stripes(image)[: len(EMOTIONS)]).log_softmax(0).expand(2, len(jitters), len(EMOTIONS))

    def person(self, image: Tensor, view: View) -> Person:
        who = stripes(image)[WHO]
        return Person(torch.stack([who.cos(), who.sin()]), 30 + who, torch.sigmoid(who))

    def points(self, image: Tensor, view: View) -> Tensor:
        return mesh() + torch.einsum("k,kpc->pc", stripes(image)[WHO + 1 :], MOVES)

    def sides(self, points: Tensor) -> Tensor:
        return torch.zeros(1)


def detect(picture: Picture) -> FaceBox:
    """In any picture that is not black."""
    if not picture.any():
        raise UserError("no face")
    return FaceBox(60.0, 60.0, 130.0, 130.0, np.zeros((5, 2), np.float32), 1.0)


EYES = Eyes(Reads(), detect)
