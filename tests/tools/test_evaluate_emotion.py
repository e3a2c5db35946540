"""The whole tool on a few clips, with everything it can measure; and what it refuses before it listens."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from loudness_classifier import write as write_classifier
from voices import turn, write_wav

from models.labels import EMOTIONS, NEUTRAL
from tools import emotion_talks, evaluate_emotion
from tools.emotion_corpus import Clip
from tools.evaluate_emotion import Heard, figures, report


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two emotions, two clips of each, and one in which nobody speaks; a file that is no sound."""
    rows = ["path,corpus,speaker,emotion"]
    for number, (name, emotion) in enumerate([("a", "sad"), ("b", "sad"), ("c", "happy"), ("d", "happy")]):
        write_wav(tmp_path / f"{name}.wav", turn(number)[8_000:24_000])
        rows.append(f"{name}.wav,one,ada,{emotion}")
    write_wav(tmp_path / "short.wav", np.zeros(50))
    (tmp_path / "dam\naged.wav").write_text("this is no sound")
    (tmp_path / "manifest.csv").write_text("\n".join([*rows, "short.wav,one,ada,sad", '"dam\naged.wav",one,ada,sad']))
    return tmp_path / "manifest.csv"


def heard(emotion: int, plain: int | None = None, *, anybody: bool = True) -> Heard:
    one = np.eye(len(EMOTIONS))
    return Heard(one[emotion], 0.0, [0.01], one[emotion if plain is None else plain], anybody)


def test_everything_is_measured_on_a_few_clips(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("BEFORE", "AFTER", "STEADY"):
        monkeypatch.setattr(emotion_talks, name, 2.0)
    folder = manifest.parent
    for name in ("hum/a.wav", "hum/b.wav", "gone/c.wav"):
        (folder / "noise" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "noise" / name).write_text("this is no sound")
    write_wav(folder / "noise" / "hum" / "b.wav", 0.1 * np.sin(np.arange(8_000) / 40))
    words = ["--manifest", str(manifest), "--json", str(folder / "new" / "out.json"), "--plots", str(folder / "plots")]
    more = ["--changes", "1", "--voices", "1", "--non-speech-in", str(folder / "noise")]
    assert evaluate_emotion.main([*words, *more]) == 0
    found = json.loads((folder / "new" / "out.json").read_text())
    assert found["all"]["clips"] == 5 and found["all"]["nobody_heard"] == 1 and len(found["skipped"]) == 3
    assert found["changes"]["changes"] == 1 and found["steady"]["minutes"] > 0.0 and set(found["no_voice"]) == {"hum"}
    assert {path.name for path in (folder / "plots").iterdir()} == {"emotion.png", "emotion_onset.png"}
    out, err = capsys.readouterr()
    assert "in 1 of 5 clips nobody was heard" in out and "UAR of" in out
    assert sum(line.startswith("skipped: ") for line in err.splitlines()) == 3 and "dam aged.wav" in err


def test_why_there_are_no_talks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(1_600))
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\na.wav,one,s,sad\n")
    out = tmp_path / "out.json"
    assert evaluate_emotion.main(["--manifest", str(tmp_path), "--json", str(out)]) == 0
    found, said = json.loads(out.read_text()), " ".join(capsys.readouterr().out.split())
    assert found["no_changes"] in said and found["no_steady"] in said and "changes" not in found


def test_somebody_elses_classifier_is_measured(manifest: Path) -> None:
    own, out = write_classifier(manifest.parent / "own.onnx"), manifest.parent / "out.json"
    assert evaluate_emotion.main(["--manifest", str(manifest), "--no-timing", "--classifier", str(own), "--json", str(out)]) == 0
    columns = np.array(json.loads(out.read_text())["all"]["confusion"]).sum(0)
    assert columns[[EMOTIONS.index("fear"), EMOTIONS.index("sad")]].sum() == 0 and columns.sum() == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--json", "{folder}"], "it is a folder"),
        (["--json", "{file}/sub/a.json"], "can't be written"),
        (["--plots", "{file}"], "can't be written"),
        (["--plots", "{file}/sub"], "can't be written"),
        (["--classifier", "{folder}/none.onnx"], "no classifier at"),
        (["--classifier", "{file}", "--known-voice"], "leave out --networks and --known-voice"),
        (["--non-speech-in", "{folder}/none"], "no folders of recordings"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is_heard(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    monkeypatch.setattr(evaluate_emotion, "spread", lambda *_: pytest.fail("listened"))
    words = [argument.format(folder=manifest.parent, file=manifest) for argument in arguments]
    assert evaluate_emotion.main(["--manifest", str(manifest), *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error


def test_pictures_without_matplotlib_are_refused_at_once(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert evaluate_emotion.main(["--manifest", str(manifest), "--plots", str(manifest.parent / "plots")]) == 2
    assert "--plots needs matplotlib" in capsys.readouterr().err and not (manifest.parent / "plots").exists()


def test_speakers_of_two_corpora_are_two_but_singing_they_are_one() -> None:
    clips = [Clip(Path(f"{corpus}.wav"), corpus, "s1", 0) for corpus in ("one", "one_song", "two")]
    found = report(clips, [heard(0), heard(0), heard(1)])
    assert found["speakers"] == {"one/s1": 1.0, "two/s1": 0.0}


def test_the_plain_mean_and_clips_without_anybody_are_counted_beside() -> None:
    clips = [Clip(Path(f"{n}.wav"), "one", "s", emotion) for n, emotion in enumerate((0, 0, 3, NEUTRAL))]
    found = figures(clips, [heard(0, NEUTRAL), heard(0), heard(3), heard(NEUTRAL, anybody=False)])
    assert found["uar"] == 1.0 and found["uar_of_plain_mean"] == pytest.approx((0.5 + 1 + 1) / 3) and found["nobody_heard"] == 1
