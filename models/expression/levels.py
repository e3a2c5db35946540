"""How far along its line a face is slight, clear and full: seen in pictures, so that a strength looks the same on every face.

Networks see one face's anger sooner than another's. So pictures along each emotion's line are drawn and read by the networks that
steer, and a knot is put where their log-odds reach what they reach, in the median, on predicted faces (`Eyes.levels`).
Some seconds of one core; meant for a background process.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression.goals import EMOTION_GOALS
from models.expression.line import Line, farthest
from models.expression.paths import ExpressionPaths
from models.expression.predictor import KNOTS
from models.expression.preview import Generator
from models.expression.progress import Progress, untold
from models.judge.eyes import Eyes
from models.labels import EMOTIONS

# Where a line is looked at, in parts of the expression as it was found or predicted; between them log-odds count as straight.
LOOKS: Final = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
WEAKEST: Final = 0.6  # of these parts, that full may become; the strongest is the last look, or where the person is lost
# A knot stays this far from the one before and the one after it, so that every step of strength moves the face.
SLIGHT: Final = (0.12, 0.8)  # of what is clear, or of what is full for the lower limit
CLEAR: Final = (0.4, 0.9)  # of what is full

Floats = NDArray[np.float32]


def levelled(generator: Generator, face: ExpressionPaths, eyes: Eyes, progress: Progress = untold) -> ExpressionPaths:
    """The same face with its knots, and how strong full is, where the log-odds reach `eyes.levels`, or before that where the
    person would not stay; rest and rig do.

    Raises `UserError` where the neutral picture shows no face.
    """
    line = Line(generator, face.neutral, eyes)
    paths = np.zeros((len(EMOTIONS), KNOTS, *face.neutral.shape), np.float32)
    for number, emotion in enumerate(EMOTION_GOALS):
        progress(number / len(EMOTION_GOALS), emotion)
        index = EMOTIONS.index(emotion)
        end = face.paths[index, -1]
        levels, floor = eyes.levels[emotion], eyes.floors[emotion]
        looks = line.looked_along(end, LOOKS, index, enough=levels[-1], floor=floor)
        places = knots_at([look.log_odds for look in looks], farthest(looks, floor), levels)
        paths[index] = np.array(places, np.float32)[:, None, None] * end
    return replace(face, paths=paths)


def knots_at(log_odds: Sequence[float], strongest: float, levels: Sequence[float]) -> list[float]:
    """Where slight, clear and full lie, in parts of the line: rising.

    log_odds    at rest and at as many of `LOOKS` as were looked at
    strongest   the part that full may become, where that is more than `WEAKEST`
    levels      log-odds of slight, clear and full
    """
    places = [0.0, *LOOKS][: len(log_odds)]
    rising = np.maximum.accumulate(log_odds) + 1e-6 * np.arange(len(places))  # a dip on the way counts for nothing
    slight, clear, full = np.interp(levels, rising, places).tolist()
    full = float(np.clip(full, WEAKEST, max(WEAKEST, strongest)))
    clear = float(np.clip(clear, CLEAR[0] * full, CLEAR[1] * full))
    return [float(np.clip(slight, SLIGHT[0] * full, SLIGHT[1] * clear)), clear, full]


def levels_of(generator: Generator, faces: Sequence[ExpressionPaths], eyes: Eyes) -> dict[str, list[float]]:
    """Emotion → the median log-odds over the faces at each of their knots: what `Eyes.levels` is made of."""
    seen = []
    for face in faces:
        line = Line(generator, face.neutral, eyes)
        seen.append([[line.log_odds(knot, EMOTIONS.index(e)) for knot in face.paths[EMOTIONS.index(e)]] for e in EMOTION_GOALS])
    return dict(zip(EMOTION_GOALS, np.median(seen, axis=0).tolist(), strict=True))
