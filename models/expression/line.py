"""What is seen along a straight way from a face's neutral: an emotion's log-odds, and whether a face of this person stays."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.expression.preview import Generator, as_bytes, full_picture
from models.expression.typical import Typicality
from models.judge.eyes import Eyes
from models.judge.steer import BOTH_WAYS, View

SURER: Final = 0.015  # of the person (cosine) than a search must be, to go past what was found or predicted

Floats = NDArray[np.float32]


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
        self, end: Floats, looks: Sequence[float], emotion: int, enough: float, sure: float = 1.0
    ) -> tuple[list[float], list[bool]]:
        """Log-odds and whether a face of this person stays, at rest and at `looks`, parts of the way to `end`; from `sure` of it
        on no further than `enough`, and only with a margin for who it is."""
        seen, kept = [self._log_odds(self._rest, emotion)], [True]
        for part in looks:
            if part > sure and (seen[-1] >= enough or not kept[-1]):
                break
            picture = self._picture(np.float32(part) * end)
            seen.append(self._log_odds(picture, emotion))
            kept.append(self._typical(np.float32(part) * end) and (part <= sure or self._surely_same(picture)))
        return seen, kept

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

    def _surely_same(self, picture: Tensor) -> bool:
        """Whether the person stays, with the margin that growing asks for."""
        with torch.no_grad():
            same = self._eyes.steering.person(picture, self._view).embedding @ self._person
        return float(same) >= self._eyes.same_person + SURER
