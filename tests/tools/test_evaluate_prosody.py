"""The comparison of pitch with a reference."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from tools import evaluate_prosody
from tools.evaluate_prosody import Compared, compare, figures


def vowel(f0: float, seconds: float = 0.6) -> np.ndarray:
    t = np.arange(int(16_000 * seconds)) / 16_000
    return (0.1 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 10))).astype(np.float32)


def test_an_octave_off_is_gross_and_a_hair_is_not() -> None:
    found = figures([Compared(np.array([100.0, 100.0, 100.0, 100.0, 0.0]), np.array([101.0, 50.0, 200.0, 0.0, 120.0]))])
    assert found["gross_error"] == pytest.approx(2 / 3) and found["voiced_frames"] == 4
    assert found["voicing_missed"] == 0.25 and found["voicing_added"] == 1.0


def test_nothing_voiced_gives_numbers() -> None:
    assert figures([Compared(np.zeros(3), np.zeros(3))])["gross_error"] == 0.0


def test_both_are_of_the_same_moment() -> None:
    pytest.importorskip("librosa", reason="pyin, the reference for pitch, needs librosa")
    # A pitch that moves by up to two octaves a second: frames compared with others 60 ms away would be off by 9 %.
    f0 = 140.0 * 2 ** (0.3 * np.sin(2 * np.pi * 1.1 * np.arange(24_000) / 16_000))
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    breath = np.random.default_rng(0).normal(0, 1e-3, len(f0))
    found = compare((0.05 * sum(np.sin(k * phase) / k for k in range(1, 10)) + breath).astype(np.float32))
    both = (found.reference > 0) & (found.ours > 0)
    assert both.mean() > 0.6
    assert np.median(np.abs(found.ours[both] / found.reference[both] - 1)) < 0.03


def test_from_a_manifest_to_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("librosa", reason="pyin, the reference for pitch, needs librosa")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((vowel(180.0) * 32_767).astype("<i2").tobytes())
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "m.csv").write_text("path,corpus,speaker,emotion\na.wav,one,s,sad\ntext.wav,one,s,sad\n")
    out = tmp_path / "new" / "f.json"
    assert evaluate_prosody.main(["--manifest", str(tmp_path / "m.csv"), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["one"]["voiced_frames"] > 10 and found["one"]["gross_error"] < 0.1 and len(found["skipped"]) == 1
    (tmp_path / "m.csv").write_text("path,corpus,speaker,emotion\ntext.wav,one,s,sad\n")
    assert evaluate_prosody.main(["--manifest", str(tmp_path / "m.csv")]) == 2
    assert "none of the rows" in capsys.readouterr().err
