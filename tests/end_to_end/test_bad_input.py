"""Whatever a user can get wrong: one line on stderr, exit code 2, no traceback, nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError, exit_on_user_error
from run_live import main

NOTHING_TO_OPEN = ["--no-window"]


def sound(tmp_path: Path) -> str:
    import wave

    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(1600, "<i2").tobytes())
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--audio", "no-such-file.wav"], "cannot be read as sound"),
        (["--audio", "TEXT"], "cannot be read as sound"),
        (["--audio", "SOUND", "--offline", "--video", "face.gif"], "suffix"),
        (["--audio", "SOUND", "--offline", "--video", "none/face.mp4"], "does not exist"),
        (["--audio", "SOUND", "--offline", "--video", "."], "suffix"),
        (["--audio", "SOUND", "--offline", "--video", "folder.mp4"], "is a folder"),
        (["--audio", "SOUND", "--offline", "--stats", "folder.mp4"], "can't be written"),
        (["--audio", "SOUND", "--offline", "--video", "a.mp4", "--label", "3"], "add --generator"),
        (["--audio", "SOUND", "--offline", "--video", "a.mp4", "--networks", "none"], "none"),
        (["--audio", "SOUND", "--offline"], "nothing to make"),
        (["--audio", "mic", "--offline", "--video", "face.mp4"], "sound that is there already"),
        (["--audio", "SOUND", "--offline", "--osc", "localhost"], "HOST:PORT"),
        (["--audio", "SOUND", "--offline", "--osc", "no-such-host.invalid:9"], "not known"),
        (["--audio", "SOUND", "--face", "mona-lisa", "--offline", "--video", "a.mp4"], "seed:N"),
        (["--audio", "SOUND", "--face", "seed:-1", "--offline", "--video", "a.mp4"], "seed:N"),
        (["--size", "300"], "256, 512 or 1024"),
        (["--set", "expression.atack=1"], "expression.attack"),
        (["--config", "no-such.toml"], "cannot be read"),
        (["--stats", "none/stats.json"], "does not exist"),
    ],
)
def test_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    voice = sound(tmp_path)
    (tmp_path / "text.txt").write_text("this is no sound")
    (tmp_path / "folder.mp4").mkdir()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    places = {"SOUND": voice, "TEXT": "text.txt"}
    assert main([*NOTHING_TO_OPEN, "--log-level", "error", *(places.get(a, a) for a in arguments)]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith("error: ")
    assert says in error
    assert sorted(tmp_path.iterdir()) == before


def test_an_unknown_flag_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as end:
        main(["--vidoe", "a.mp4"])
    assert end.value.code == 2


def test_a_corrupt_weight_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from models.emotion import classifier

    broken = tmp_path / "emotion.safetensors"
    broken.write_bytes(classifier.WEIGHTS.read_bytes()[:-1000])
    load = classifier.EmotionClassifier.load
    monkeypatch.setattr(classifier.EmotionClassifier, "load", lambda: load(broken))
    assert main(["--audio", sound(tmp_path), "--offline", "--video", str(tmp_path / "a.mp4"), "--log-level", "error"]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "damaged" in error
    assert not (tmp_path / "a.mp4").exists()


@settings(max_examples=100)
@given(st.text())
def test_every_user_error_is_printed_as_one_line(message: str) -> None:
    import contextlib
    import io

    @exit_on_user_error
    def failing() -> None:
        raise UserError(message)

    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        assert failing() == 2
    assert len(printed.getvalue().splitlines()) == 1
