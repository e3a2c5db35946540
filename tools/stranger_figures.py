"""What the verdicts of `train_emotion` on strangers amount to: per corpus, fold and speaker, and how far they are calibrated."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.emotion.hearing import PLEASANT
from models.labels import EMOTIONS, NEUTRAL
from tools.emotion_corpus import Clip
from tools.emotion_figures import (
    binary_recall,
    calibration_error,
    confusion,
    fit_temperature,
    intensity_correlation,
    pleasant_recall,
    unweighted_average_recall,
)

_QUANTILES: Final = (0.0, 0.1, 0.25, 0.5)

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.integer[Any]]


def figures(clips: list[Clip], answer: Floats, fold: Numbers) -> dict[str, Any]:
    """Of the verdicts `answer` (n, 7), as `train_emotion.verdicts` gives them, on `clips` (n), tested in these folds (n).

    `corpora`: of each, song apart, what is in `_of_corpus`; of speech as a whole `confusion` (5, 5), UAR of its `speakers` by
    quantile, the mean of the corpora's UAR in each fold (`folds`), and `calibration_error` with a temperature for each corpus
    that was fitted on the others.
    """
    labels, heard = np.array([clip.emotion for clip in clips]), answer[:, :5].argmax(1)
    corpus, intensity = np.array([clip.corpus for clip in clips]), np.array([clip.intensity for clip in clips], float)
    corpora = {
        name: _of_corpus(labels[at], answer[at], intensity[at], fold[at])
        for name, at in ((name, corpus == name) for name in np.unique(corpus))
    }
    speech = np.array([not name.endswith("_song") for name in corpus])
    voices = {clip.voice for clip, spoken in zip(clips, speech, strict=True) if spoken}
    of_voice = [speech & np.array([clip.voice == voice for clip in clips]) for voice in sorted(voices)]
    uar = [unweighted_average_recall(labels[at], heard[at]) for at in of_voice]
    spoken = [found for name, found in corpora.items() if not name.endswith("_song")]
    return {
        "corpora": corpora,
        "confusion": confusion(labels[speech], heard[speech]).tolist(),
        "speakers": {str(q): float(np.quantile(uar, q)) for q in _QUANTILES},
        "folds": {
            k: float(np.mean([found["folds"][k] for found in spoken if k in found["folds"]])) for k in map(str, np.unique(fold))
        },
        "calibration_error": _calibration(answer[speech, :5], labels[speech], corpus[speech]),
    }


def _of_corpus(labels: Numbers, answer: Floats, intensity: Floats, fold: Numbers) -> dict[str, Any]:
    """UAR over the five, its value in each fold, over excited against calm and pleasant against not; how much of what is neutral
    is heard so; the rank correlation of intensity."""
    heard = answer[:, :5].argmax(1)
    neutral = labels == NEUTRAL
    return {
        "clips": len(labels),
        "uar": unweighted_average_recall(labels, heard),
        "folds": {str(k): unweighted_average_recall(labels[fold == k], heard[fold == k]) for k in np.unique(fold)},
        "excited": binary_recall(labels, answer[:, 5] > 0),
        "pleasant": pleasant_recall(labels, np.exp(answer[:, :5]) @ PLEASANT),
        "neutral": float(np.mean(heard[neutral] == NEUTRAL)) if neutral.any() else None,
        "intensity": intensity_correlation(intensity, answer[:, 6]),
    }


def _calibration(log_probabilities: Floats, labels: Numbers, corpus: NDArray[np.str_]) -> float:
    """Expected calibration error where each corpus has the temperature of the others; of a single corpus, as it is."""
    probabilities = np.zeros(log_probabilities.shape)
    for name in np.unique(corpus):
        own = corpus == name
        temperature = 1.0 if own.all() else fit_temperature(log_probabilities[~own], labels[~own])
        scaled = np.exp(log_probabilities[own] / temperature)
        probabilities[own] = scaled / scaled.sum(1, keepdims=True)
    return calibration_error(probabilities, labels)


def show(console: Console, title: str, found: dict[str, dict[str, Any]]) -> None:
    """Print `figures` of each way in which voices are met."""
    table = Table(
        "", "clips", "UAR", "worst fold", "excited or calm", "pleasant or not", "neutral as such", "intensity", title=title
    )
    for mode, figures_of in found.items():
        spoken = [row for name, row in figures_of["corpora"].items() if not name.endswith("_song")]
        mean = {key: float(np.mean([row[key] for row in spoken])) for key in ("uar", "excited", "pleasant")}
        for name, row in figures_of["corpora"].items():
            worst = min(row["folds"].values())
            cells = (row["uar"], worst, row["excited"], row["pleasant"], row["neutral"], row["intensity"])
            table.add_row(f"{mode}: {name}", str(row["clips"]), *("" if cell is None else f"{cell:.3f}" for cell in cells))
        worst = min(figures_of["folds"].values())
        table.add_row(
            f"{mode}: mean of speech",
            str(sum(row["clips"] for row in spoken)),
            *(f"{cell:.3f}" for cell in (mean["uar"], worst, mean["excited"], mean["pleasant"])),
        )
    console.print(table)
    for mode, figures_of in found.items():
        _show_spread(console, mode, figures_of)


def _show_spread(console: Console, mode: str, found: dict[str, Any]) -> None:
    names = ("the worst", "a tenth below", "a quarter below", "half below")
    speakers = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, found["speakers"].values(), strict=True))
    folds = ", ".join(f"{value:.3f}" for value in found["folds"].values())
    console.print(f"{mode}: speakers: {speakers}; mean of each fold: {folds}; calibration error {found['calibration_error']:.3f}")
    counts = Table(f"{mode}: intended \\ heard, %", *EMOTIONS)
    for emotion, row in zip(EMOTIONS, np.array(found["confusion"], float), strict=True):
        counts.add_row(emotion, *(f"{share:.0f}" for share in 100 * row / max(1.0, row.sum())))
    console.print(counts)
