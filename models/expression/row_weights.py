"""How much each row of W+ counts in a predicted emotion: less where it costs the person, more where it shows the emotion.

A gradient's steps spread over the rows as their slopes are large, whatever they cost. So at the end each row's part of an
emotion is taken back a little, on faces that the predictor learnt from, and those that steer say what of the emotion and what of
the person that was. Rows that are dearer than the emotion as a whole then count less, cheaper ones more.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression.line import Line
from models.expression.predictor import NEUTRAL_STEP, PathPredictor
from models.expression.preview import Generator
from models.expression.rows import emotion_rows, shaping_rows
from models.judge.eyes import Eyes
from models.labels import EMOTIONS

TAKEN_BACK: Final = 0.3  # of one row
WHOLE_BACK: Final = 0.1  # of all rows at once
DOUBT: Final = 0.1  # log-odds at the usual price, added to each row's: of a row that shows little, little is known
LEAST: Final = 0.6
MOST: Final = 1.3

Floats = NDArray[np.float32]
Tell = Callable[[str], None]


def weighed(
    predictor: PathPredictor, generator: Generator, eyes: Eyes, emotions: Sequence[str], seeds: Sequence[int], tell: Tell = print
) -> PathPredictor:
    """The predictor with rows of these emotions weighed anew, by the mean over the faces of these seeds.

    What was weighed before counts for nothing. Raises `UserError` where a face at rest shows none.
    """
    plain = replace(predictor, row_weights={})
    rows, first = emotion_rows(generator), shaping_rows(generator).start
    weights = dict(predictor.row_weights)
    for emotion in emotions:
        changes = np.mean([_changes(plain, generator, eyes, emotion, seed) for seed in seeds], axis=0)
        found = weights_of(changes[:-1], changes[-1])
        tell(f"{emotion}: " + ", ".join(f"row {rows.start + row} × {weight:.2f}" for row, weight in enumerate(found)))
        weights[emotion] = np.concatenate([np.ones(rows.start - first, np.float32), found])
    return replace(predictor, row_weights=weights)


def weights_of(rows: NDArray[np.floating], whole: NDArray[np.floating]) -> Floats:
    """(n,): from what taking back each row's part does, (n, 2): log-odds of the emotion that are lost and cosine of the person
    that is won; and the same of all rows, (2,). A row that shows as much for its price as the whole keeps its weight."""
    usual = whole[1] / whole[0]
    shown, won = rows[:, 0] + DOUBT, rows[:, 1] + DOUBT * usual
    price = np.divide(won, shown, out=np.full(len(rows), np.inf), where=shown > 0)
    dearer = price / usual
    return np.asarray(np.clip(2 - dearer, LEAST, MOST), np.float32)


def _changes(predictor: PathPredictor, generator: Generator, eyes: Eyes, emotion: str, seed: int) -> NDArray[np.float64]:
    """(rows + 1, 2): what `weights_of` asks for, of one face, all rows' last."""
    ws = generator.broadcast(generator.code_of_seed(seed))[0].cpu().numpy()
    neutral = ws + predictor.offset(NEUTRAL_STEP, ws)
    end = predictor.offset(emotion, ws)
    line = Line(generator, neutral, eyes)

    def seen(offset: Floats) -> NDArray[np.float64]:
        return np.array(line.seen(offset, EMOTIONS.index(emotion)))

    full = seen(end)
    less = []
    for row in range(*emotion_rows(generator).indices(len(end))):
        offset = end.copy()
        offset[row] *= 1 - TAKEN_BACK
        less.append(full - seen(offset))
    whole = full - seen(np.float32(1 - WHOLE_BACK) * end)
    return np.stack([*less, whole]) * [1, -1]
