"""Laughter alone is no emotion; what hears it belongs to the network whose vectors it was learnt from."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from voices import turn

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.hearing import Hearing
from models.emotion.laughter import FORMAT, Laughter
from models.emotion.trained import Trained
from models.errors import UserError
from models.labels import NEUTRAL

HOP = EmotionClassifier.HOP
TRAINED = Trained.load(WEIGHTS, "")
IDENTITY = EmotionClassifier(TRAINED).identity


def always(odds: float, identity: str = IDENTITY) -> Laughter:
    """Hears the same in everything."""
    return Laughter(np.zeros(N_EMBEDDING, np.float32), odds, identity)


def hear(laughter: Laughter | None) -> tuple[EmotionClassifier, list[Hearing]]:
    """The bundled voice's first turn, and who heard it."""
    classifier, voice = EmotionClassifier(TRAINED, laughter), turn(0)
    return classifier, [classifier.step(voice[start : start + HOP]) for start in range(0, len(voice) - HOP + 1, HOP)]


def confidences(heard: list[Hearing]) -> list[float]:
    return [hearing.confidence for hearing in heard]


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=N_EMBEDDING).astype(np.float32)
    Laughter(weight, -1.5, "0123").save(tmp_path / "laughter.safetensors")
    found = Laughter.load(tmp_path / "laughter.safetensors")
    assert (found.classifier, found.bias) == ("0123", -1.5)
    assert np.array_equal(found.weight, weight)


def test_log_odds_become_a_probability() -> None:
    weight = np.zeros(N_EMBEDDING, np.float32)
    weight[3] = 2.0
    laughter, vector = Laughter(weight, 1.0, ""), np.zeros(N_EMBEDDING, np.float32)
    assert laughter.heard_in(vector) == pytest.approx(1 / (1 + np.exp(-1.0)))
    vector[3] = -1e6
    assert laughter.heard_in(vector) == 0.0


def test_what_ships_belongs_to_the_classifier_that_ships() -> None:
    assert Laughter.load().classifier == IDENTITY


def test_speech_is_not_taken_for_laughter() -> None:
    _, with_it = hear(Laughter.load())
    _, without = hear(None)
    assert sum(confidences(with_it)) > 0.9 * sum(confidences(without)) > 0


def test_laughter_is_no_emotion_and_no_voice() -> None:
    laughing, heard = hear(always(40.0))
    assert all(hearing.probabilities.argmax() == NEUTRAL for hearing in heard)
    assert max(confidences(heard)) < 1e-6
    assert laughing.window is not None
    assert laughing.window.n_new == 0, "the voice is not learnt from it"


def test_what_was_learnt_from_other_vectors_counts_for_nothing() -> None:
    _, heard = hear(always(40.0, "of other weights"))
    _, without = hear(None)
    assert confidences(heard) == confidences(without)


@pytest.mark.parametrize("fault", ["missing", "text", "another format", "a tensor too short", "a tensor lacks"])
def test_a_damaged_file_is_one_line(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "laughter.safetensors"
    if fault == "text":
        path.write_text("laughter")
    elif fault != "missing":
        always(0.0).save(path)
        tensors, metadata = load_file(path), {"format": FORMAT, "classifier": IDENTITY}
        if fault == "another format":
            metadata["format"] = "something else"
        elif fault == "a tensor too short":
            tensors["weight"] = tensors["weight"][:-1]
        else:
            del tensors["bias"]
        save_file(tensors, path, metadata)
    with pytest.raises(UserError, match="does not hold what hears laughter"):
        Laughter.load(path)
