"""What is seen along a straight way from a face's neutral: an emotion's log-odds, and whether a face of this person stays."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.expression.preview import Generator, as_bytes, full_picture
from models.expression.typical import Typicality
from models.judge.eyes import Eyes
from models.judge.steer import BOTH_WAYS, View

Floats = NDArray[np.float32]


class Look(NamedTuple):
    """What is seen at a part of the way: an emotion's log-odds, the cosine between who is there and who is at rest, and whether
    the code lies no farther out than faces do."""

    part: float
    log_odds: float
    same: float
    typical: bool


@lru_cache(maxsize=1)
def _typicality(generator: Generator) -> Typicality:
    """Drawn once for as many faces as are looked at."""
    return Typicality.drawn_by(generator)


class Line:
    """One face at rest, and what is seen along the lines that start there."""

    def __init__(self, generator: Generator, neutral: Floats, eyes: Eyes) -> None:
        """`neutral` (num_ws, w_dim). Raises `UserError` where its picture shows no face."""
        self._generator, self._eyes = generator, eyes
        self._neutral = torch.from_numpy(neutral)[None]
        rest = full_picture(generator, self._neutral)
        self._view = View.of(eyes.detect(as_bytes(rest)), rest.shape[-1])
        self._rest = rest
        with torch.no_grad():
            self._person = eyes.steering.person(rest, self._view).embedding

    def looked_along(
        self, end: Floats, looks: Sequence[float], emotion: int, *, enough: float, floor: float, past: float = 1.0
    ) -> list[Look]:
        """At rest and at `looks`, parts of the way to `end`, until the person is seen by less than `floor` or the code lies too
        far out; from `past` of it on no further than log-odds of `enough`."""
        seen = [Look(0.0, self._log_odds(self._rest, emotion), 1.0, True)]
        for part in looks:
            last = seen[-1]
            if not last.typical or last.same < floor or (part > past and last.log_odds >= enough):
                break
            offset = np.float32(part) * end
            seen.append(Look(part, *self.seen(offset, emotion), self._typical(offset)))
        return seen

    def seen(self, offset: Floats, emotion: int) -> tuple[float, float]:
        """At one place: the emotion's log-odds, and the cosine between who is there and who is at rest."""
        picture = self._picture(offset)
        with torch.no_grad():
            same = self._eyes.steering.person(picture, self._view).embedding @ self._person
        return self._log_odds(picture, emotion), float(same)

    def log_odds(self, offset: Floats, emotion: int) -> float:
        """At one place."""
        return self._log_odds(self._picture(offset), emotion)

    def _picture(self, offset: Floats) -> Tensor:
        return full_picture(self._generator, self._neutral + torch.from_numpy(offset))

    def _log_odds(self, picture: Tensor, emotion: int) -> float:
        """The mean of both networks' log-odds: each has its say, also while the other one is sure."""
        with torch.no_grad():
            verdicts = self._eyes.steering.expression(picture, self._view, BOTH_WAYS)[..., emotion].exp().mean(1)
        return float(torch.logit(verdicts, eps=1e-3).mean())

    def _typical(self, offset: Floats) -> bool:
        """Whether the code lies no farther out than faces do."""
        typical = _typicality(self._generator)
        return typical.distance(self._neutral[0].numpy() + offset) <= typical.limit


def farthest(looks: Sequence[Look], floor: float) -> float:
    """The last part at which a face of this person stays, on a straight line between looks."""
    before, last = looks[max(len(looks) - 2, 0)], looks[-1]
    if not last.typical:
        return before.part
    if last.same >= floor:
        return last.part
    return float(np.interp(-floor, [-before.same, -last.same], [before.part, last.part]))
