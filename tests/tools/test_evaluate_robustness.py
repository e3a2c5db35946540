"""What the way to the microphone costs: which clips are taken, by which networks they are judged, what is written."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from voices import turn

from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.trained import Trained
from models.emotion.voice_identity import VoiceIdentity
from models.labels import EMOTIONS
from tools import evaluate_robustness
from tools.emotion_conditions import CONDITIONS
from tools.emotion_corpus import Clip
from tools.evaluate_robustness import few_clips


def test_some_clips_of_some_voices_of_every_spoken_corpus() -> None:
    clips = [Clip(Path(f"{c}{v}{n}"), c, f"{c}{v}", 0) for c in ("one", "two", "two_song") for v in range(3) for n in range(10)]
    chosen = [clips[i] for i in few_clips(clips, 2, 4)]
    assert len(chosen) == 2 * 2 * 4 and {clip.corpus for clip in chosen} == {"one", "two"}
    assert len({clip.speaker for clip in chosen}) == 4
    assert len(few_clips(clips, 3, 99)) == 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two turns of the bundled voice, by one speaker of one corpus, and a file that is no sound."""
    rows = ["path,corpus,speaker,emotion"]
    for number in (0, 3):
        name = EMOTIONS[number]
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((turn(number)[:32_000].clip(-1, 1) * 32_767).astype("<i2").tobytes())
        rows.append(f"{name}.wav,own,ada,{name}")
    (tmp_path / "damaged.wav").write_text("this is no sound")
    rows.insert(1, "damaged.wav,own,ada,sad")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def test_every_condition_is_heard_by_the_network_that_does_not_know_the_voice(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    (data / "work" / "runs").mkdir(parents=True)
    Trained(EmotionNetwork(), SpeechEncoder(), VoiceIdentity()).save(data / "work" / "runs" / "without-own.safetensors")
    out = data / "new" / "out.json"
    words = ["--data", str(data), "--work", str(data / "work"), "--strangers", "corpora", "--json", str(out)]
    assert evaluate_robustness.main(words) == 0
    found = json.loads(out.read_text())
    assert found["clips"] == 2 and set(found) == {"clips", "skipped", "corpora, stranger", "corpora, known"}
    assert len(found["skipped"]) == 1 and capsys.readouterr().err.count("skipped: cannot decode") == 1
    for rows in (found["corpora, stranger"], found["corpora, known"]):
        assert set(rows) == {"as it is", *CONDITIONS}
        assert all(np.isclose(rows["as it is"]["mean"] - row["mean"], row["lost"]) for row in rows.values())


def test_a_missing_network_is_one_clear_error_before_anything_is_heard(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_robustness.main(["--data", str(data), "--work", str(data / "work")]) == 2
    assert "no weights of the emotion classifier at" in capsys.readouterr().err
    assert not (data / "work").exists()
