"""Training what hears laughter: which clips are taken, that kinds are told apart, and the whole way on clips made here."""

import csv
from pathlib import Path

import numpy as np
import pytest
from voices import turn, write_wav

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.laughter import Laughter
from models.emotion.trained import Trained
from models.errors import UserError
from tools import train_laughter
from tools.emotion_conditions import laughter as laughing
from tools.train_laughter import BURST, LAUGHTER, SPEECH, Example, Vectors, bursts, fitted, told

IDENTITY = EmotionClassifier(Trained.load(WEIGHTS, "")).identity


def test_first_laughs_of_all_and_other_bursts_of_some_are_taken(tmp_path: Path) -> None:
    laughs, others = ["000001-02-1", "000001-02-2", "000001-02-3"], ["000001-03-1", "000002-24-1", "000002-24-2", "000002-13-1"]
    for name in [*laughs, *others, "cover"]:
        (tmp_path / f"{name}.mp3").touch()
    taken = {(example.path.stem, example.kind, example.person) for example in bursts(tmp_path, 2)}
    assert taken == {
        ("000001-02-1", LAUGHTER, "000001"),
        ("000001-02-2", LAUGHTER, "000001"),
        ("000002-24-1", BURST, "000002"),
    }


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    with pytest.raises(UserError, match="mp3 of EmoGator"):
        bursts(tmp_path, 1)


def test_kinds_that_differ_are_told_apart_whatever_else_differs() -> None:
    rng = np.random.default_rng(0)
    examples = [Example(Path(), kind, str(person)) for kind in (LAUGHTER, BURST, SPEECH) for person in range(20)]
    clips = np.repeat(np.arange(len(examples)), 5)
    values = np.zeros((len(clips), N_EMBEDDING), np.float32)
    values[:, :20] = rng.normal(scale=100.0, size=(len(clips), 20))
    values[:, 7] = np.where(clips < 20, 9.0, 3.0) + rng.normal(scale=0.1, size=len(clips))
    vectors, apart = Vectors(values, clips), np.arange(len(examples)) % 4 == 0
    found = fitted(examples, vectors, ~apart, "identity")
    heard = np.array([found.heard_in(value) for value in values])
    of_apart = apart[clips]
    assert heard[of_apart & (clips < 20)].min() > heard[of_apart & (clips >= 20)].max()
    lines = told(found, examples, vectors, apart)
    assert [line.split(" clips")[0].split() for line in lines] == [[*kind.split(), "5"] for kind in (LAUGHTER, BURST, SPEECH)]


def test_the_tool_writes_what_belongs_to_the_shipped_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mp3").mkdir()  # what is in a file is heard, whatever its name
    for person in range(1, 5):
        write_wav(tmp_path / "mp3" / f"{person:06d}-02-1.mp3", laughing(2.0, np.random.default_rng(person)))
        write_wav(tmp_path / "mp3" / f"{person:06d}-24-1.mp3", turn(person)[:24_000] * 0.5)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "corpus", "speaker", "emotion"])
        for number in range(5):
            rows.writerow(
                [write_wav(tmp_path / f"{number}.wav", turn(number)[:24_000]).name, "demo", f"demo_{number}", "neutral"]
            )
    out = tmp_path / "laughter.safetensors"
    arguments = ["--bursts", str(tmp_path / "mp3"), "--data", str(tmp_path), "--every", "1", "--thinned", "1", "--out", str(out)]
    assert train_laughter.main(arguments) == 0
    assert "13 clips: written to" in capsys.readouterr().out
    assert Laughter.load(out).classifier == IDENTITY
