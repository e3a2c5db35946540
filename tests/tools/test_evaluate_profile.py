"""Which clips a profile is made of and tested with, and the figures."""

import argparse
import operator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from voices import write_wav

from models.errors import UserError
from models.labels import EMOTIONS
from tools import evaluate_profile
from tools.emotion_corpus import Clip
from tools.emotion_networks import Networks
from tools.evaluate_profile import Answer, Voice, figures, voices
from tools.spread import spread

CLIPS = [
    Clip(Path(f"{speaker}-{emotion}-{take}.wav"), "one", speaker, emotion, sentence="first" if take < 3 else "second")
    for speaker in ("ada", "bob")
    for emotion in range(5)
    for take in range(6)
]


@pytest.mark.parametrize("other_texts", [False, True])
def test_nothing_that_was_enrolled_is_tested(other_texts: bool) -> None:
    found = list(voices(CLIPS, 12, 0, other_texts=other_texts))
    assert [voice.name for voice in found] == ["ada", "bob"]
    for voice in found:
        assert sorted(clip.emotion for clip in voice.guided) == [e for e in range(5) for _ in range(2)]
        tested = {clip.path for clip in voice.test}
        assert not tested & {clip.path for clip in [*voice.guided, *voice.plain]}
        assert all(clip.speaker == voice.name for clip in [*voice.guided, *voice.plain, *voice.test])
        if other_texts:
            enrolled = {clip.sentence for clip in [*voice.guided, *voice.plain]}
            assert not enrolled & {clip.sentence for clip in voice.test}


def test_speakers_with_too_few_clips_are_left_out() -> None:
    few = [clip for clip in CLIPS if clip.speaker == "ada" or int(clip.path.stem[-1]) < 2]
    assert [voice.name for voice in voices(few, 12, 0, other_texts=False)] == ["ada"]


@pytest.mark.parametrize("place", [".", "manifest.csv"])
def test_a_folder_is_read_as_its_manifest_is_texts_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    rows = ["path,corpus,speaker,emotion,sentence"]
    for clip in CLIPS:
        (tmp_path / clip.path).touch()
        rows.append(f"{clip.path},{clip.corpus},{clip.speaker},{EMOTIONS[clip.emotion]},{clip.sentence}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    heard: list[tuple[Voice, Voice | None]] = []

    def unheard(
        prepare: object, work: object, pairs: list[tuple[Voice, Voice | None]], *rest: object
    ) -> list[tuple[list[Answer], list[str]]]:
        heard.extend(pairs)
        return [([Answer("none", "ada", "one", 0, np.eye(5)[0])], ["damaged.wav"])]

    monkeypatch.setattr(evaluate_profile, "spread", unheard)
    monkeypatch.chdir(tmp_path)
    assert evaluate_profile.main(["--manifest", place, "--corpora", "one", "--other-texts", "--json", "new/out.json"]) == 0
    assert (tmp_path / "new" / "out.json").exists()
    assert [(voice.name, other.name) for voice, other in heard if other] == [("ada", "bob"), ("bob", "ada")]


def test_recordings_that_cannot_be_read_are_named_and_the_others_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        embed = None

        def adopt(self, *profiles: object) -> None: ...

    def enrolled(classifier: object, recordings: list[object]) -> object:
        assert len(recordings) == 1
        return object()

    class All(Networks):
        def of(self, clip: Clip) -> Deaf:  # type: ignore[override]
            return Deaf()

    write_wav(tmp_path / "whole.wav", np.zeros(1600))
    (tmp_path / "damaged.wav").write_text("this is no sound")
    clips = [Clip(tmp_path / name, "one", "ada", 0) for name in ("damaged.wav", "whole.wav")]
    monkeypatch.setattr(evaluate_profile, "enrol", enrolled)
    monkeypatch.setattr(evaluate_profile, "hear", lambda classifier, sound: SimpleNamespace(probabilities=np.eye(5)[0]))
    answers, complaints = evaluate_profile.Judge(All(clips, options())).answers(Voice("ada", "one", clips, clips, clips), None)
    assert [answer.kind for answer in answers] == ["none", "plain", "guided"]
    assert complaints and all("damaged.wav" in complaint for complaint in complaints)


def test_gains_are_against_the_same_speaker_without_a_profile() -> None:
    right, wrong = np.eye(5)[0], np.eye(5)[1]
    answers = [Answer("none", v, "one", 0, wrong) for v in ("ada", "bob")]
    answers += [Answer("guided", "ada", "one", 0, right), Answer("guided", "bob", "one", 0, wrong)]
    found = figures(answers)["one"]
    assert found["none"]["uar"] == 0.0 and found["guided"]["uar"] == 0.5
    assert found["guided"]["worst_gain"] == 0.0 and found["guided"]["speakers"] == {"ada": 1.0, "bob": 0.0}


def options(**changed: object) -> argparse.Namespace:
    return argparse.Namespace(**{"weights": Path("none"), "networks": None, "strangers": "folds"} | changed)


def test_folds_and_left_out_corpora_are_found_by_name(tmp_path: Path) -> None:
    assert Networks(CLIPS, options()).name(CLIPS[0]) == ""
    folds = Networks(CLIPS, options(networks=tmp_path))
    assert {folds.name(clip) for clip in CLIPS if clip.speaker == "ada"} != {folds.name(c) for c in CLIPS if c.speaker == "bob"}
    assert Networks(CLIPS, options(networks=tmp_path, strangers="corpora")).name(CLIPS[0]) == "without-one"


def test_a_missing_network_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no weights of the emotion classifier at .*fold"):
        Networks(CLIPS, options(networks=tmp_path)).of(CLIPS[0])


def test_work_is_spread_in_order() -> None:
    assert spread(lambda: 10, operator.add, range(5), 1, "adding") == [10, 11, 12, 13, 14]
    assert spread(int, operator.add, range(40), 2, "adding") == list(range(40))
