"""Enrolment on the terminal and from files."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from voices import DEMO_VOICE, TURNS, demo_voice, turn, write_wav

from models.emotion.classifier import EmotionClassifier
from models.emotion.voice_profile import VoiceProfile
from models.errors import UserError
from models.labels import EMOTIONS
from realtime.listen import open_classifier
from realtime.settings import Hearing
from tools import enrol_voice

HOP = EmotionClassifier.HOP


@pytest.fixture(scope="module")
def classifier() -> EmotionClassifier:
    return EmotionClassifier.load()


class Performer:
    """Says each of the bundled voice's turns twice, and then pauses."""

    description = "a performer"

    def __init__(self, *, without_end: bool = False) -> None:
        self._without_end, self._turn, self._heard = without_end, -1, 0

    def flush(self) -> None:
        self._turn += 1
        self._heard = 0

    def hop(self) -> np.ndarray:
        sound = demo_voice() if self._without_end else np.tile(turn(self._turn % len(TURNS)), 2)
        hop = sound[self._heard : self._heard + HOP]
        self._heard += HOP
        return np.pad(hop, (0, HOP - len(hop)))


def test_a_file_of_talk_makes_a_profile_that_the_show_takes(tmp_path: Path) -> None:
    profile = tmp_path / "ada.voice"
    assert enrol_voice.main([str(profile), "--from", str(DEMO_VOICE)]) == 0
    assert VoiceProfile.load(profile).seconds > 10
    assert isinstance(open_classifier(Hearing(voice_profile=profile)), EmotionClassifier)


def test_labelled_files_make_a_correction(tmp_path: Path) -> None:
    sources = []
    for number, name in enumerate(EMOTIONS[:3]):
        path = write_wav(tmp_path / f"{name}.wav", turn(number))
        sources.append(f"{name}={path}")
    assert enrol_voice.main([str(tmp_path / "ada.voice"), "--from", *sources]) == 0
    found = VoiceProfile.load(tmp_path / "ada.voice")
    assert found.sentences == {name: int(name in EMOTIONS[:3]) for name in EMOTIONS} and np.abs(found.weight).max() > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "nowhere.wav"], "no such file nowhere.wav"),
        (["--from", "bored=talk.wav"], "unknown emotion 'bored'"),
        (["--from", "sad=VOICE", "VOICE"], "for all of them or for none"),
        (["--from", "TEXT"], "text.txt"),
        (["--from", "SILENCE"], "0.0 s of speech"),
        (["--guided", "--from", "VOICE"], "give one of them"),
        (["--weights", "none.safetensors", "--from", "VOICE"], "no weights"),
        ([], "give recordings with --from"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "text.txt").write_text("this is no sound")
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000))
    names = {"VOICE": DEMO_VOICE, "TEXT": tmp_path / "text.txt", "SILENCE": silence}
    for name, path in names.items():
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    assert enrol_voice.main([str(tmp_path / "ada.voice"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and says in error
    assert not (tmp_path / "ada.voice").exists()


@pytest.mark.parametrize(("place", "says"), [("none/ada.voice", "does not exist"), ("", "it is a folder")])
def test_a_place_that_can_not_be_written_to_is_told_before_anybody_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, says: str
) -> None:
    monkeypatch.setattr(enrol_voice, "read", lambda _: pytest.fail("recordings were read before"))
    assert enrol_voice.main([str(tmp_path / place), "--from", str(DEMO_VOICE)]) == 2
    assert says in capsys.readouterr().err


def test_guided_asks_for_two_sentences_of_each_emotion(classifier: EmotionClassifier) -> None:
    console, waited = Console(file=io.StringIO(), width=120), []
    recordings = enrol_voice.interview(classifier, Performer(), True, console, lambda: waited.append(1))
    assert [recording.emotion for recording in recordings].count(None) == 0
    assert sorted(recording.emotion for recording in recordings) == sorted([*range(5), *range(5)])
    assert len(waited) == 10 and recordings[0].emotion == EMOTIONS.index("neutral")
    assert all(len(recording.samples) >= 32_000 for recording in recordings)
    asked = console.file.getvalue()
    assert all(name in asked for name in EMOTIONS)


def test_plain_talk_lasts_fifteen_seconds_of_speech(classifier: EmotionClassifier) -> None:
    console = Console(file=io.StringIO(), width=120)
    (recording,) = enrol_voice.interview(classifier, Performer(without_end=True), False, console, lambda: None)
    assert recording.emotion is None and len(recording.samples) >= 15 * 16_000


def test_whoever_says_nothing_is_told_so(classifier: EmotionClassifier) -> None:
    with pytest.raises(UserError, match=r"heard only 0\.0 s"):
        enrol_voice.listen_for(classifier, lambda: np.zeros(HOP, np.float32), 2.0, to_the_end=True, tell=lambda *_: None)
