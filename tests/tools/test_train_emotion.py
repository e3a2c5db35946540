"""Training from a folder to a weight file, on a corpus small enough to be made here."""

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
import shared_data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import write_wav

from models.emotion.classifier import EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.labels import EMOTIONS
from tools import emotion_corpus, emotion_embeddings, emotion_study, evaluate_emotion, train_emotion
from tools.emotion_corpus import Clip, Condition, FeatureCache, decode, read_manifest

RATE = 16_000


def buzz(emotion: int, speaker: int, seconds: float = 1.0) -> np.ndarray:
    """A tone with syllables whose pitch tells the emotion and whose range tells the speaker."""
    t = np.arange(int(RATE * seconds)) / RATE
    f0 = (110 + 15 * speaker) * (1 + 0.25 * emotion) * (1 + 0.05 * np.sin(2 * np.pi * 2 * t))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return 0.3 * sum(np.sin(k * phase) / k for k in range(1, 12)) * np.clip(np.sin(2 * np.pi * 3 * t), 0.1, 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "corpus", "speaker", "emotion"])
        for speaker in range(6):
            for number, emotion in enumerate(EMOTIONS):
                for take in range(2):
                    name = f"{speaker}-{emotion}-{take}.wav"
                    write_wav(folder / name, buzz(number, speaker, 0.8 + 0.2 * take))
                    rows.writerow([name, "one" if speaker < 3 else "two", f"s{speaker}", emotion])
        rows.writerow(["nowhere.wav", "one", "s0", "sad"])
        rows.writerow(["0-sad-0.wav", "one", "s0", "bored"])
    (folder / "text.wav").write_text("this is no sound")
    return folder


@pytest.fixture(autouse=True)
def everything_is_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up voices do not fool voice activity; here it is not what is tested."""
    monkeypatch.setattr(emotion_corpus, "speech_probabilities", lambda network, sounds: [[0.9] * (len(s) // 512) for s in sounds])


def test_bad_rows_are_named_and_do_not_stop_it(corpus: Path) -> None:
    clips, skipped = read_manifest(corpus / "manifest.csv")
    assert len(clips) == 60 and skipped.count == 2
    nowhere, bored = skipped.lines
    assert "nowhere.wav" in nowhere and "bored" in bored


def test_paths_that_no_system_takes_are_rows_that_are_skipped(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", buzz(0, 0, 0.2))
    rows = ["path,corpus,speaker,emotion", f"{'x' * 3000}.wav,one,s,sad", "a\0b.wav,one,s,sad", "a.wav,one,s,sad"]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    clips, skipped = read_manifest(tmp_path / "manifest.csv")
    assert [clip.path.name for clip in clips] == ["a.wav"] and skipped.count == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_manifests_are_read_as_other_programs_write_them(tmp_path: Path, delimiter: str) -> None:
    """A spreadsheet's byte order mark and separators; names in any case, with spaces; usual words for the emotions."""
    words = ["Anger", " CALM ", "fearful", "Joy", "sadness"]
    rows = [["Path", " Corpus", "SPEAKER ", "Emotion", "Intensity"]]
    for number, word in enumerate(words):
        write_wav(tmp_path / f"{number}.wav", buzz(0, 0, 0.1))
        rows.append([f" {number}.wav", "one ", " s", word, "Strong"])
    (tmp_path / "manifest.csv").write_text("\n".join(map(delimiter.join, rows)), encoding="utf-8-sig")
    clips, skipped = read_manifest(tmp_path / "manifest.csv")
    assert not skipped.count and [EMOTIONS[clip.emotion] for clip in clips] == list(EMOTIONS)
    assert {(clip.corpus, clip.speaker, clip.intensity) for clip in clips} == {("one", "s", 1)}


def test_the_words_that_are_accepted_are_said_once(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\na.wav,one,s,bored\nb.wav,one,s,proud\n")
    _, skipped = read_manifest(tmp_path / "manifest.csv")
    assert "\n".join(skipped.lines).count("angry, neutral, fear, happy, sad") == 1


def test_other_settings_or_clips_are_another_run(corpus: Path, tmp_path: Path) -> None:
    def trained(*arguments: str) -> dict[str, bytes]:
        common = ["--data", str(corpus), "--work", str(tmp_path), "--copies", "1", "--adapt", "0", "--folds"]
        assert train_emotion.main([*common, *arguments]) == 0
        return {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.safetensors")}

    first = trained("--samples", "256")
    assert trained("--samples", "256") == first and len(first) > 1
    assert all(other != first[name] for name, other in trained("--samples", "512").items())
    assert all(other != first[name] for name, other in trained("--samples", "256", "--adapt", "1").items())
    assert trained("--samples", "256") == first
    beside = trained("--samples", "256", "--seed", "1")
    assert all(beside[name] == first[name] for name in first) and len(beside) == 2 * len(first)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--folds", "--samples", "0"], "--samples takes a whole number from 256"),
        (["--folds", "--copies", "0"], "--copies takes a whole number from 1"),
        (["--folds", "--adapt", "-1"], "--adapt takes a whole number from 0"),
        (["--folds", "--threads", "-1"], "--threads takes a whole number from 1"),
        (["--folds", "--work", "{file}"], "can't be written"),
        (["--folds", "--json", "{file}/a.json"], "can't be written"),
        (["--folds"], "nothing is left to train fold"),
        (["--ship"], "nothing is left to train without-one on"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """A corpus of one speaker, and the file that is no folder."""
    write_wav(tmp_path / "a.wav", buzz(0, 0))
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\na.wav,one,s0,sad\n")
    given = [argument.format(file=tmp_path / "a.wav") for argument in arguments]
    work = [] if "--work" in given else ["--work", str(tmp_path / "work")]
    assert train_emotion.main(["--data", str(tmp_path), "--samples", "256", "--copies", "1", *work, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error


def test_what_listeners_heard_is_half_of_the_label(tmp_path: Path) -> None:
    rows = ["path,corpus,speaker,emotion,votes_angry,votes_neutral,votes_fear,votes_happy,votes_sad"]
    for number, votes in enumerate(
        [",,,,", "1,0,0,3,0", "0,0,0,0,0", "1,some,0,0,0", "-1,0,0,2,0", "nan,1,0,0,0", "inf,1,0,0,0"]
    ):
        write_wav(tmp_path / f"{number}.wav", buzz(0, 0, 0.2))
        rows.append(f"{number}.wav,one,s,angry,{votes}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    clips, skipped = read_manifest(tmp_path / "manifest.csv")
    assert not skipped.count and [clip.votes for clip in clips] == [None, (1, 0, 0, 3, 0), None, None, None, None, None]
    assert emotion_embeddings._label(clips[0]).tolist() == [1, 0, 0, 0, 0]
    assert emotion_embeddings._label(clips[1]).tolist() == [0.625, 0, 0, 0.375, 0]


def test_a_folder_of_which_nothing_can_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\nnowhere.wav,one,s,sad\n")
    assert train_emotion.main(["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--folds"]) == 2
    assert "error: none of the 1 rows of" in capsys.readouterr().err


def test_a_folder_of_which_nothing_is_sound_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wav").write_text("this is no sound")
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\na.wav,one,s,sad\n")
    assert train_emotion.main(["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--folds"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "none of the 1 recordings can be used" in error and "a.wav" in error


def test_no_speaker_is_in_two_folds(corpus: Path) -> None:
    clips, _ = read_manifest(corpus / "manifest.csv")
    fold = emotion_study.folds(clips)
    for speaker in {clip.speaker for clip in clips}:
        assert len({int(k) for k, clip in zip(fold, clips, strict=True) if clip.speaker == speaker}) == 1


def test_song_and_speech_of_one_actor_are_in_the_same_fold() -> None:
    clips = [Clip(Path(f"{c}{s}"), c, f"a{s}", 0) for c in ("x", "x_song") for s in range(20)]
    fold = emotion_study.folds(clips)
    assert np.array_equal(fold[:20], fold[20:]) and len(set(fold.tolist())) == 5


def test_conditions_change_speed_and_noise_but_keep_it_finite() -> None:
    sound = buzz(0, 0).astype(np.float32)
    for seed in range(20):
        condition = Condition.draw(seed)
        recorded = condition.apply(sound, np.random.default_rng(seed))
        assert np.isfinite(recorded).all() and recorded.dtype == np.float32
        assert len(recorded) == pytest.approx(len(sound) / condition.speed, abs=20)
    assert Condition.draw(3) == Condition.draw(3) != Condition.draw(4)


def test_features_are_computed_once(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, _ = read_manifest(corpus / "manifest.csv")
    first = FeatureCache(clips, tmp_path, lambda what, done: None).copy(1)
    assert first.offsets[-1] == len(first.frames) == len(first.speech)
    monkeypatch.setattr(emotion_corpus, "decode", lambda path: pytest.fail("decoded again"))
    again = FeatureCache(clips, tmp_path, lambda what, done: None).copy(1)
    assert np.array_equal(first.frames, again.frames)


def test_sounds_that_cannot_be_read_are_named_and_training_goes_on_without(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (corpus / "manifest.csv").read_text().splitlines()[:21]
    (corpus / "damaged.csv").write_text("\n".join([rows[0], "text.wav,one,s0,sad", *rows[1:]]))
    (corpus / "whole.csv").write_text("\n".join(rows))
    study = emotion_study.prepare([corpus / "damaged.csv"], tmp_path, 2, lambda *_: None)
    assert len(study.clips) == 20 and capsys.readouterr().err.count("skipped: cannot decode") == 1
    again = emotion_study.prepare([corpus / "damaged.csv"], tmp_path, 2, lambda *_: None)
    assert again.clips == study.clips and capsys.readouterr().err.count("skipped: cannot decode") == 1
    same = emotion_study.prepare([corpus / "whole.csv"], tmp_path, 1, lambda *_: None)
    assert np.array_equal(same.recorded[0].copies[0].frames, study.recorded[0].copies[0].frames)


def test_progress_of_every_folder_goes_to_its_end(corpus: Path, tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {}

    def tell(what: str, done: int, total: int) -> None:
        told.setdefault(what, []).append((done, total))

    rows = (corpus / "manifest.csv").read_text().splitlines()
    (corpus / "some.csv").write_text("\n".join(rows[:11]))
    (corpus / "others.csv").write_text("\n".join([rows[0], *rows[11:41]]))
    study = emotion_study.prepare([corpus / "some.csv", corpus / "others.csv"], tmp_path, 1, tell)
    train_emotion.train(study, np.arange(40), 512, 0, lambda done, total: tell("network", done, total))
    assert {"some.csv: vectors of test", "others.csv: vectors of test", "network"} <= told.keys()
    for steps in told.values():
        assert steps == sorted(steps) and len({total for _, total in steps}) == 1
        assert steps[-1][0] == steps[-1][1]


def test_sounds_shorter_than_any_window_are_no_fault(tmp_path: Path) -> None:
    for name, n in (("a", 50), ("b", 600)):
        write_wav(tmp_path / f"{name}.wav", np.zeros(n))
    clips = [Clip(tmp_path / f"{name}.wav", "one", "s", 0) for name in "ab"]
    copy = FeatureCache(clips, tmp_path / "cache", lambda what, done: None).copy(0)
    assert len(copy.offsets) == 3 and np.isfinite(copy.frames).all()


def test_padding_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "a.wav", np.concatenate([np.zeros(RATE), buzz(0, 0), np.zeros(2 * RATE)]))
    probabilities = lambda network, sounds: [[float(31 <= k < 62) for k in range(len(s) // 512)] for s in sounds]  # noqa: E731
    monkeypatch.setattr(emotion_corpus, "speech_probabilities", probabilities)
    copy = FeatureCache([Clip(tmp_path / "a.wav", "one", "s", 0)], tmp_path / "cache", lambda what, done: None).copy(0)
    assert 100 <= len(copy.frames) <= 150


def test_learns_what_it_is_shown(corpus: Path, tmp_path: Path) -> None:
    study = emotion_study.prepare([corpus], tmp_path, 1, lambda what, done, total: None)
    everything = np.arange(len(study.clips))
    network = train_emotion.train(study, everything, 64 * 60, 0, lambda done, total: None)
    heard = train_emotion.verdicts(network, study, everything, 0.0)[:, :5].argmax(1)
    assert np.mean(heard == study.examples.emotion) > 0.35  # chance is 0.2


def test_several_folders_are_one_study(corpus: Path, tmp_path: Path) -> None:
    """Each folder's vectors are found again whatever stands beside it."""
    other = tmp_path / "other"
    other.mkdir()
    write_wav(other / "a.wav", buzz(2, 9))
    (other / "manifest.csv").write_text("path,corpus,speaker,emotion\na.wav,three,s9,fear\n")
    work = tmp_path / "work"
    alone = emotion_study.prepare([corpus], work, 1, lambda *_: None)
    kept = {path: path.stat().st_mtime_ns for path in work.rglob("*.npy")}
    both = emotion_study.prepare([other, corpus / "manifest.csv"], work, 1, lambda *_: None)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())
    assert [clip.corpus for clip in both.clips] == ["three", *(clip.corpus for clip in alone.clips)]
    assert both.examples.emotion[0] == EMOTIONS.index("fear")
    assert np.array_equal(both.fold[1:], alone.fold)
    (ids, batch), (_, same) = (
        study.examples.test_batch(np.arange(first, len(study.clips)), np.zeros(N_EMBEDDING, np.float32), 0.0)
        for study, first in ((both, 1), (alone, 0))
    )
    assert (
        ids.min() == 1 and torch.equal(batch.embedding, same.embedding) and torch.equal(batch.probabilities, same.probabilities)
    )


def test_trains_measures_and_ships(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights" / "emotion.safetensors"
    monkeypatch.setattr(train_emotion, "WEIGHTS", weights)
    common = ["--data", str(corpus), "--work", str(tmp_path / "work"), "--copies", "2", "--samples", "320", "--adapt", "1"]
    figures = tmp_path / "figures.json"
    assert train_emotion.main([*common, "--folds", "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())["folds"]
    assert set(found) == {"stranger", "known"} and set(found["stranger"]["corpora"]) == {"one", "two"}
    assert sum(f["clips"] for f in found["stranger"]["corpora"].values()) == 60 == np.sum(found["stranger"]["confusion"])
    assert all(0.0 <= f["uar"] <= 1.0 for mode in found.values() for f in mode["corpora"].values())

    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "work" / "runs").iterdir()}
    assert train_emotion.main([*common, "--ship"]) == 0
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items()), "finished folds were trained again"
    heard = EmotionClassifier.load(weights).step(np.zeros(EmotionClassifier.HOP, np.float32))
    assert heard.confidence == 0.0


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "holds neither manifest.csv nor clips of the five emotions named as in"),
        ("a,b\n1,2\n", "lacks the columns path"),
        ("", "lacks the columns"),
        ("path,corpus,speaker,emotion\n", "has no rows"),
        ("\0", ""),
    ],
)
def test_useless_manifests_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: str | None, says: str
) -> None:
    if manifest is not None:
        (tmp_path / "manifest.csv").write_text(manifest)
    assert train_emotion.main(["--data", str(tmp_path), "--work", str(tmp_path / "w"), "--folds"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and says in error


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=300))
def test_what_is_no_sound_is_one_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("sound") / "a.ogg"
    path.write_bytes(content)
    with pytest.raises(emotion_corpus.UserError, match=r"a\.ogg"):
        decode(path)


def test_what_is_no_number_in_a_sound_of_any_name_is_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "12:30.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000, layout="mono")
        samples = np.full((1, 1600), 0.25, np.float32)
        samples[0, 100:200] = np.nan
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(decode(Path(path.name)), np.nan_to_num(samples[0]))


def test_evaluation_counts_and_names_what_it_skips(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = corpus / "evaluate.csv"
    rows = ["path,corpus,speaker,emotion"] + [f"{s}-{e}-0.wav,one,s{s},{e}" for s in range(2) for e in EMOTIONS]
    manifest.write_text("\n".join([*rows, "text.wav,one,s0,sad", "nowhere.wav,one,s0,sad", "0-sad-0.wav,one,s0,bored"]))
    out = tmp_path / "figures.json"
    assert evaluate_emotion.main(["--manifest", str(manifest), "--json", str(out), "--known-voice"]) == 0
    result = json.loads(out.read_text())
    assert result["all"]["clips"] == 10 and len(result["skipped"]) == 3
    assert np.sum(result["all"]["confusion"]) == 10
    error = capsys.readouterr().err
    assert "text.wav" in error and "nowhere.wav" in error and "bored" in error


def test_evaluation_without_a_usable_row_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\nnowhere.wav,a,b,sad\n")
    assert evaluate_emotion.main(["--manifest", str(tmp_path / "manifest.csv")]) == 2
    assert "none of the 1 rows" in capsys.readouterr().err.replace("\n", " ")


def test_shipped_classifier_hears_recordings(tmp_path: Path) -> None:
    manifest = shared_data.SPEECH / "manifest_lossless.csv"
    if not manifest.exists():
        pytest.skip(f"needs the labelled recordings of {manifest.parent}")
    out = tmp_path / "figures.json"
    assert evaluate_emotion.main(["--manifest", str(manifest), "--no-timing", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["all"]["uar"] > 0.45  # it has heard these speakers in training; chance is 0.2
