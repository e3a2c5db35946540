"""What is believed of the emotion from hop to hop: verdicts on the newest speech, added up while nothing speaks for a change.

A hidden Markov model's forward step over the five emotions. Hops overlap, so each verdict counts only as much as it is new, and
little while it rests on little speech. A longer window is right more often, but holds the old emotion for as long as it is; this
forgets it as soon as the new one is clear, and in steady speech remembers longer than any window. The whole window's verdict
stands beside it: at first it is all there is, and a single sentence is heard as well as by the window alone.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.labels import EMOTIONS, NEUTRAL

Floats = NDArray[np.float32]

# Found on streams made of clips of voices the networks never heard (docs/emotion.md).
_WEIGHT: Final = 3.0  # of a verdict, per second of new speech
_FULL_WINDOW: Final = 3.0  # seconds of speech behind a verdict of full weight; below, by the cube
_TOGETHER: Final = 2.0  # weight of what has added up, beside the whole window's verdict
_CHANGE: Final = 0.1  # probability per second that the emotion changes
_NEUTRAL_BIAS: Final = 0.1  # log-odds that every verdict gives neutral ahead: small doubts must not add up to an emotion
_DOUBT: Final = 0.02  # share of every verdict that is no verdict
_SURER: Final = 1.5  # weight of verdicts from which more of them make surer; fewer are averaged: on one voice they err alike
_OF_STRANGERS: Final = np.array([0.0, 0.0, 0.2, -0.4, 0.4])
"""Log-odds that are added to what is believed of a stranger: happiness is heard too often in voices of other languages and
microphones, sadness and fear too seldom. In a known voice nothing is left of it."""
_MODEST: Final = 0.8  # exponent of what is believed of a stranger; of a well known voice it is 1
_FIRST: Final = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS))


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits (..., k) as probabilities."""
    likely = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(likely / likely.sum(-1, keepdims=True))


class Belief:
    """One voice's emotion as it goes on."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing is known."""
        self._belief = _FIRST.copy()
        self._added = 0.0  # weight of the verdicts in it

    def step(
        self, newest: Floats, window: Floats, speech: float, new_speech: float, elapsed: float, known: float = 0.0
    ) -> Floats:
        """Calibrated logits (5,) of the newest speech and of the whole window's, seconds of speech in the window and how many of
        them are new, seconds since the last step, how well the voice is known (0..1) -> probabilities (5,)."""
        biased = newest.astype(np.float64)
        biased[NEUTRAL] += _NEUTRAL_BIAS
        verdict = (1.0 - _DOUBT) * softmax(biased) + _DOUBT / len(EMOTIONS)
        weight = _WEIGHT * new_speech * min(1.0, speech / _FULL_WINDOW) ** 3
        change = 1.0 - (1.0 - _CHANGE) ** elapsed
        belief = ((1.0 - change) * self._belief + change * _FIRST) * verdict**weight
        self._belief = belief / belief.sum()
        self._added = (1.0 - change) * self._added + weight
        together = window.astype(np.float64) + _TOGETHER * np.log(self._belief)
        averaged = 1.0 + _TOGETHER * self._added / (1.0 + self._added / _SURER)
        modesty = _MODEST + known * (1.0 - _MODEST)
        bias = (1.0 - known) * min(1.0, speech) * _OF_STRANGERS  # nothing is too seldom heard in what is hardly heard
        believed: Floats = softmax(modesty * together / averaged + bias).astype(np.float32)
        return believed
