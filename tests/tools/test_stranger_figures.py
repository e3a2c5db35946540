"""What is said of verdicts on strangers: right ones are counted as right, wherever they were heard, and doubt as doubt."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.labels import EMOTIONS, NEUTRAL
from tools.emotion_corpus import Clip
from tools.stranger_figures import figures, show

SURE = 6.0  # logits


def answers(clips: list[Clip], heard: np.ndarray) -> np.ndarray:
    """Verdicts (n, 7) that are sure of `heard`: log probabilities, excited where that is, strong where the label says so."""
    logits = SURE * np.eye(len(EMOTIONS))[heard]
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    excited = np.where(np.isin(heard, [EMOTIONS.index(name) for name in ("angry", "fear", "happy")]), 1.0, -1.0)
    return np.column_stack([log_probabilities, excited, [clip.intensity for clip in clips]])


@pytest.fixture
def clips() -> list[Clip]:
    """Two corpora and a song, each of two speakers, each with every emotion normally and strongly."""
    return [
        Clip(Path(f"{corpus}-{speaker}-{e}-{strong}.wav"), corpus, speaker, e, strong)
        for corpus in ("one", "two", "two_song")
        for speaker in ("a", "b")
        for e in range(len(EMOTIONS))
        for strong in (0, 1)
    ]


def test_who_hears_everything_has_no_fault(clips: list[Clip]) -> None:
    labels = np.array([clip.emotion for clip in clips])
    fold = np.array([int(clip.speaker == "b") for clip in clips])
    found = figures(clips, answers(clips, labels), fold)
    assert set(found["corpora"]) == {"one", "two", "two_song"}
    for corpus in found["corpora"].values():
        assert corpus["uar"] == corpus["excited"] == corpus["pleasant"] == corpus["neutral"] == 1.0
        assert corpus["folds"] == {"0": 1.0, "1": 1.0} and corpus["intensity"] > 0.8
    assert np.array_equal(found["confusion"], 8 * np.eye(len(EMOTIONS)))
    assert set(found["speakers"].values()) == {1.0} and set(found["folds"].values()) == {1.0}
    assert found["calibration_error"] < 0.05


def test_a_speaker_who_is_not_heard_is_seen_in_her_fold_and_corpus_alone(clips: list[Clip]) -> None:
    missed = np.array([clip.corpus == "one" and clip.speaker == "b" for clip in clips])
    heard = np.where(missed, NEUTRAL, [clip.emotion for clip in clips])
    found = figures(clips, answers(clips, heard), np.array([int(clip.speaker == "b") for clip in clips]))
    assert found["corpora"]["one"]["folds"] == {"0": 1.0, "1": pytest.approx(0.2)}
    assert found["corpora"]["one"]["uar"] == pytest.approx(0.6) and found["corpora"]["two"]["uar"] == 1.0
    assert found["speakers"]["0.0"] == pytest.approx(0.2) and found["speakers"]["0.5"] == 1.0
    assert found["folds"]["0"] == 1.0 and found["folds"]["1"] == pytest.approx(0.6)
    assert found["calibration_error"] > 0.1  # as sure as all others, and wrong in two fifths of one corpus


def test_a_corpus_without_neutral_or_intensity_leaves_those_out(clips: list[Clip]) -> None:
    some = [clip for clip in clips if clip.emotion != NEUTRAL and clip.intensity == 0]
    found = figures(some, answers(some, np.array([clip.emotion for clip in some])), np.zeros(len(some), int))
    assert found["corpora"]["one"]["neutral"] is None and found["corpora"]["one"]["intensity"] is None
    console = Console(record=True, width=160)
    show(console, "Strangers", {"stranger": found})
    said = console.export_text()
    assert "stranger: one" in said and "mean of speech" in said and "the worst 1.00" in said
