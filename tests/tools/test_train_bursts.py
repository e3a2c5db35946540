"""Training what hears vocal bursts: that kinds are told apart, and the whole way on clips made here."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from voices import turn, write_wav

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.trained import Trained
from models.emotion.vocal_bursts import KINDS, N_READ, Activity, VocalBursts
from models.errors import UserError
from tools import train_bursts
from tools.burst_corpus import COUGH, LAUGHTER, SONG, VOICE, Example, States
from tools.emotion_conditions import laughter as laughing
from tools.train_bursts import activity_told, fitted_activity, fitted_kinds, kinds_told


def test_what_is_a_voice_is_told_from_speech_and_sounds() -> None:
    """By one number of the states; another, which is large, says nothing; neither does what is soft in a burst."""
    rng = np.random.default_rng(0)
    kinds = ["fear", SONG, VOICE, "speech", "no voice", COUGH]
    examples = [Example(Path(), kind, str(person)) for kind in kinds for person in range(40)]
    states = []
    for example in examples:
        values = rng.normal(0, 0.1, (20, N_READ)).astype(np.float16)
        values[:, 0] *= 1_000
        loud = np.arange(20) < 15
        values[loud, 7] += 1.0 if example.kind in kinds[:3] else -1.0
        states.append(States(values, np.arange(20) < 5, loud))
    among = np.arange(len(examples)) % 4 > 0
    activity = fitted_activity(examples, states, among)
    lines = activity_told(activity, examples, states, ~among)
    assert [line[:9].strip() for line in lines] == kinds
    now = [float(line.split("now ")[1]) for line in lines]
    assert min(now[:3]) > 0.95
    assert now[3] == pytest.approx(5 / 15, abs=0.02), "speech is what it was"
    assert torch.from_numpy(states[-1].values[9].astype(np.float32)) @ activity.weight + activity.bias < 0


def test_kinds_that_differ_are_told_apart_whatever_else_differs() -> None:
    rng = np.random.default_rng(0)
    # Of a voice it is not told which emotion it has; song is speech, laughter and coughs are reflexes.
    meant = {VOICE: "fear", SONG: "speech", LAUGHTER: "reflex", COUGH: "reflex"}
    kinds = [*(kind for kind in KINDS if kind != "reflex"), *meant]
    examples = [Example(Path(), kind, str(person)) for kind in kinds for person in range(12)]
    vectors = []
    for example in examples:
        values = np.zeros((5, N_EMBEDDING), np.float32)
        values[:, :20] = rng.normal(scale=100.0, size=(5, 20))
        column = KINDS.index(meant.get(example.kind, example.kind))
        values[:, 30 + column] = 5.0 + rng.normal(scale=0.1, size=5)
        vectors.append(values)
    among = np.arange(len(examples)) % 3 > 0
    learnt = VocalBursts(Activity(torch.zeros(N_READ), 0.0), *fitted_kinds(examples, vectors, among), "")
    lines = kinds_told(learnt, examples, vectors, ~among)
    assert [line[:9].strip() for line in lines[:-1]] == kinds
    for kind, line in zip(kinds, lines, strict=False):
        shares = dict(part.rsplit(" ", 1) for part in line.split("taken for ")[1].split(", "))
        most = max(shares, key=lambda name: float(shares[name]))
        assert most == meant.get(kind, kind)
    assert lines[-1].endswith("1.000")


def test_the_tool_writes_what_belongs_to_the_shipped_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mp3").mkdir()  # what is in a file is heard, whatever its name
    for person in range(1, 4):
        for number in (2, 3, 11, 13, 15, 18, 24):
            sound = laughing(1.0, np.random.default_rng(person)) if number == 2 else turn(person)[: 16_000 + 500 * number]
            write_wav(tmp_path / "mp3" / f"{person:06d}-{number:02d}-1.mp3", sound)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "corpus", "speaker", "emotion"])
        for number in range(3):
            rows.writerow(
                [write_wav(tmp_path / f"{number}.wav", turn(number)[:16_000]).name, "demo", f"demo_{number}", "neutral"]
            )
    (tmp_path / "screams").mkdir()
    write_wav(tmp_path / "screams" / "a.wav", turn(1)[:16_000])
    out = tmp_path / "bursts.safetensors"
    folders = ["--data", str(tmp_path), "--voices", str(tmp_path / "screams"), "--song", str(tmp_path / "screams")]
    folders += ["--coughs", str(tmp_path / "screams")]
    assert train_bursts.main(["--bursts", str(tmp_path / "mp3"), *folders, "--every", "1", "--out", str(out)]) == 0
    assert "36 clips: written to" in capsys.readouterr().out
    assert VocalBursts.load(out).classifier == EmotionClassifier(Trained.load(WEIGHTS, "")).identity


def test_a_place_that_cannot_be_written_is_said_before_anything_is_heard(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        train_bursts.main.__wrapped__(["--bursts", str(tmp_path), "--data", str(tmp_path), "--out", str(tmp_path / "no" / "a")])
