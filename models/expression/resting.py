"""A face at rest that still smiles a little is led on along its own way to neutral, until those that steer see it as neutral.

What is predicted, and what a search is content with, leads some faces only half of the way, and what is left of a smile lies
under every emotion. A second or two of one core; meant for a background process.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression.line import Line, farthest
from models.expression.paths import ExpressionPaths, led
from models.expression.preview import Generator
from models.judge.eyes import Eyes
from models.labels import NEUTRAL

LOOKS: Final = (0.2, 0.4, 0.6)  # of the way that was gone, past its end
SURER: Final = 0.015  # of the person (cosine) than a search must be, to lead rest on
CALM: Final = 3.5  # log-odds of neutral from which on a face counts as being at rest

Floats = NDArray[np.float32]


def rested(generator: Generator, start: Floats, face: ExpressionPaths, eyes: Eyes) -> ExpressionPaths:
    """The same face with a neutral that is as calm, as far as it stays a face of this person; each emotion ends where it did.

    start   ws (num_ws, w_dim) of the face as it is drawn

    Raises `UserError` where the neutral picture shows no face.
    """
    way = face.neutral - start
    if not way.any():
        return face
    floor = eyes.same_person + SURER
    looks = Line(generator, face.neutral, eyes).looked_along(way, LOOKS, NEUTRAL, enough=CALM, floor=floor, past=0.0)
    step = np.float32(farther_by([look.log_odds for look in looks], farthest(looks, floor))) * way
    paths = face.paths.copy()
    for path in paths:
        if path[-1].any():
            path[:] = led(path, -step)
    return replace(face, neutral=face.neutral + step, paths=paths)


def farther_by(log_odds: list[float], most: float) -> float:
    """How much of the way more, from what is seen at its end and at as many of `LOOKS` as were looked at: where the log-odds
    reach `CALM` on a rising line, at `most`."""
    rising = np.maximum.accumulate(log_odds) + 1e-6 * np.arange(len(log_odds))
    places = [0.0, *LOOKS][: len(log_odds)]
    return float(min(most, np.interp(CALM, rising, places)))
