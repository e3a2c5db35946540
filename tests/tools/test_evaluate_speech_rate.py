"""Syllables of texts, and a count that misses none between two windows."""

from pathlib import Path

import numpy as np
import pytest

from models.emotion.prosody import Prosody
from tools import evaluate_speech_rate


@pytest.mark.parametrize(
    ("text", "language", "n"),
    [
        ("Lubię czytać przed snem.", "pl", 6),
        ("Nie zachowuj się jak żigolak.", "pl", 9),
        ("Interesuje mnie historia Polski.", "pl", 11),
        ("açık", "tr", 2),
        ("BEŞTE", "tr", 2),
    ],
)
def test_syllables_of_a_text(text: str, language: str, n: int) -> None:
    assert evaluate_speech_rate.syllables(text, language) == n


def test_every_syllable_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class OneEverySecond:
        def __init__(self) -> None:
            self.n = 0

        def step(self, samples: np.ndarray) -> Prosody:
            self.n += 1
            said = [k for k in range(self.n) if k % 50 == 25 and k > self.n - 1 - 150]
            return Prosody(-20.0, 0.0, 0.0, len(said) / 3)

    monkeypatch.setattr(evaluate_speech_rate, "ProsodyTracker", OneEverySecond)
    assert evaluate_speech_rate.counted(np.zeros(7 * 16_000, np.float32)) == 9  # silence up to nine seconds is counted too


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("path,corpus,language,sentence\na.wav,one,en,hello\n", "no rows with a sentence in one of the languages pl, tr"),
        ("path,language,sentence\na.wav,pl,b12\n", "no rows with a sentence in one of the languages pl, tr"),
        ("language,sentence\npl,tak\n", "lacks the columns path"),
        ("path,language,sentence\nnowhere.wav,pl,tak\n", "none of the 1 recordings of"),
    ],
)
def test_a_manifest_without_texts_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: str, says: str
) -> None:
    (tmp_path / "manifest.csv").write_text(manifest)
    assert evaluate_speech_rate.main(["--manifest", str(tmp_path / "manifest.csv")]) == 2
    assert says in capsys.readouterr().err
