"""Figures of merit for classifiers of emotion."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.labels import EMOTIONS

_EXCITED: Final = np.array([name in ("angry", "fear", "happy") for name in EMOTIONS])
_PLEASANT: Final = np.array([name == "happy" for name in EMOTIONS])
_UNPLEASANT: Final = np.array([name in ("angry", "fear", "sad") for name in EMOTIONS])
_N_BINS: Final = 15

Labels = NDArray[np.integer[Any]]


def confusion(labels: Labels, heard: Labels) -> NDArray[np.int64]:
    """Counts (intended, heard), (5, 5)."""
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    np.add.at(counts, (labels, heard), 1)
    return counts


def unweighted_average_recall(labels: Labels, heard: Labels) -> float:
    """Mean of the recalls of those emotions that occur (a corpus without fear has four)."""
    counts = confusion(labels, heard)
    occurs = counts.sum(1) > 0
    return float(np.mean(counts.diagonal()[occurs] / counts.sum(1)[occurs]))


def binary_recall(labels: Labels, excited: NDArray[np.bool_]) -> float:
    """Mean of the recalls of {angry, fear, happy} and {neutral, sad}."""
    truth = _EXCITED[labels]
    return float(np.mean([(excited == truth)[truth == side].mean() for side in (True, False) if (truth == side).any()]))


def pleasant_recall(labels: Labels, valence: NDArray[np.floating[Any]]) -> float:
    """Mean of the recalls of happy (valence (n,) above zero) and of {angry, fear, sad} (below); neutral does not count."""
    sides = ((_PLEASANT[labels], valence > 0), (_UNPLEASANT[labels], valence < 0))
    return float(np.mean([right[side].mean() for side, right in sides if side.any()] or [np.nan]))


def reliability(probabilities: NDArray[np.floating[Any]], labels: Labels) -> list[dict[str, float]]:
    """Per bin of the largest probability (n, 5): how many clips, their mean probability, the share that is right."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * _N_BINS).astype(int), _N_BINS - 1)
    rows = []
    for b in range(_N_BINS):
        inside = bins == b
        mean, share = (float(x[inside].mean()) if inside.any() else 0.0 for x in (confidence, right))
        rows.append({"clips": int(inside.sum()), "confidence": mean, "right": share})
    return rows


def calibration_error(probabilities: NDArray[np.floating[Any]], labels: Labels) -> float:
    """Expected calibration error (C. Guo et al., ICML 2017), 15 bins: probabilities (n, 5)."""
    rows = reliability(probabilities, labels)
    return sum(abs(row["confidence"] - row["right"]) * row["clips"] for row in rows) / max(1, len(labels))


def fit_temperature(log_probabilities: NDArray[np.floating[Any]], labels: Labels) -> float:
    """The temperature that makes held-out verdicts (n, 5) likeliest, by golden section over its logarithm."""
    logits, target = torch.from_numpy(np.asarray(log_probabilities, np.float64)), torch.from_numpy(np.asarray(labels, np.int64))

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / np.exp(log_temperature), target))

    low, high, ratio = np.log(0.2), np.log(5.0), (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def intensity_correlation(intensity: NDArray[np.floating[Any]], heard: NDArray[np.floating[Any]]) -> float | None:
    """Spearman's rank correlation of what is heard with 0 normal and 1 strong; None where the labels (-1 unknown) lack either."""
    said = intensity >= 0
    if len(np.unique(intensity[said])) < 2:
        return None
    # The ranks of two values are a linear function of them.
    ranks = np.argsort(np.argsort(heard[said]))
    return float(np.corrcoef(intensity[said], ranks)[0, 1])
