"""A generator whose pictures are grey, and networks that see the more of every emotion the brighter it is."""

from collections.abc import Sequence

import numpy as np
import torch

from models.expression.goals import EMOTION_GOALS
from models.judge.crops import FaceBox, Picture
from models.judge.eyes import Eyes
from models.judge.steer import STILL, Jitter, Person, View
from models.labels import EMOTIONS

LEVELS = (-2.0, 0.5, 3.0)


class Generator:
    """A picture as grey as the code's mean."""

    num_ws, graph_hash = 2, "hash"

    def __init__(self, spread: float = 10.0) -> None:
        self.spread = spread

    def synthesis(self, ws: torch.Tensor) -> torch.Tensor:
        return (2 * ws.mean() - 1).expand(1, 3, 4, 4)

    def rows_read(self, resolution: int) -> int:
        return self.num_ws

    def codes_of_seeds(self, seeds: Sequence[int], psi: float) -> torch.Tensor:
        """Of length `spread`, all ways: no code lies farther out."""
        ways = np.random.RandomState(0).randn(len(seeds), 4)
        return torch.from_numpy(self.spread * ways / np.linalg.norm(ways, axis=1, keepdims=True)).float()


class Networks:
    """Log-odds of all emotions grow with the grey; the person changes beyond `lost`."""

    def __init__(self, lost: float = 10.0) -> None:
        self.lost, self.looks = lost, 0

    def expression(self, image: torch.Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> torch.Tensor:
        self.looks += 1
        return torch.nn.functional.logsigmoid(-4 + 10 * image.mean()).expand(2, len(jitters), len(EMOTIONS))

    def person(self, image: torch.Tensor, view: View) -> Person:
        embedding = torch.tensor([1.0, 0.0]) if image.mean() < self.lost else torch.tensor([0.0, 1.0])
        return Person(embedding, torch.tensor(30.0), torch.tensor(0.5))

    def points(self, image: torch.Tensor, view: View) -> torch.Tensor:
        raise AssertionError("strengths need no landmarks")

    def sides(self, points: torch.Tensor) -> torch.Tensor:
        raise AssertionError("strengths need no landmarks")


def eyes(networks: Networks) -> Eyes:
    def detect(picture: Picture) -> FaceBox:
        return FaceBox(1, 1, 2, 2, np.array([[1, 1], [2, 1], [1, 2], [1, 3], [2, 3]], np.float32), 1.0)

    return Eyes(networks, detect, dict.fromkeys(EMOTION_GOALS, LEVELS))
