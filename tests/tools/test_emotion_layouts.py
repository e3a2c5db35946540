"""Corpora are known by how they name their clips."""

from pathlib import Path

import pytest
import shared_data

from models.errors import UserError
from models.labels import EMOTIONS
from tools.emotion_corpus import read_corpus
from tools.emotion_layouts import Named, read_names

CLIPS = [
    ("Actor_12/03-01-05-02-01-01-12.wav", "ravdess", "ravdess_12", "angry", "strong"),
    ("Actor_12/03-01-02-01-01-01-12.wav", "ravdess", "ravdess_12", "neutral", "normal"),
    ("03-02-06-01-02-02-01.wav.opus", "ravdess_song", "ravdess_01", "fear", "normal"),
    ("AudioWAV/1001_DFA_ANG_XX.wav", "crema_d", "crema_d_1001", "angry", ""),
    ("AudioWAV/1091_IEO_SAD_HI.wav", "crema_d", "crema_d_1091", "sad", "strong"),
    ("AudioMP3/1040_ITH_SAD_X.mp3", "crema_d", "crema_d_1040", "sad", ""),
    ("wav/03a01Fa.wav", "emodb", "emodb_03", "happy", ""),
    ("wav/16b10Wb.wav", "emodb", "emodb_16", "angry", ""),
    ("TESS/OAF_Fear/OAF_back_fear.wav", "tess", "tess_OA", "fear", ""),
    ("TESS/OA_bite_neutral.WAV", "tess", "tess_OA", "neutral", ""),
    ("TESS/YAF_said_happy.wav", "tess", "tess_YA", "happy", ""),
    ("AudioData/DC/sa01.wav", "savee", "savee_DC", "sad", ""),
    ("ALL/KL_n30.wav", "savee", "savee_KL", "neutral", ""),
    ("M003/audio/angry/level_3/001.m4a", "mead", "mead_M003", "angry", "strong"),
    ("W009/audio/neutral/level_1/031.m4a", "mead", "mead_W009", "neutral", "normal"),
    ("M003/audio/sad/level_2/014.m4a", "mead", "mead_M003", "sad", ""),
    ("samples/SKA_happiness_12.wav", "nemo", "nemo_SKA", "happy", ""),
    ("EMOVO/f1/rab-f1-b1.wav", "emovo", "emovo_f1", "angry", ""),
]
NO_CLIPS = [
    "Actor_12/03-01-07-02-01-01-12.wav",  # disgust
    "Actor_12/01-01-05-02-01-01-12.mp4",  # the same voice again, with a picture
    "AudioWAV/1001_DFA_DIS_XX.wav",
    "wav/03a01La.wav",  # boredom
    "TESS/OAF_back_ps.wav",
    "AudioData/DC/su03.wav",
    "M003/audio/contempt/level_1/001.m4a",
    "samples/SKA_surprise_3.wav",
    "EMOVO/f1/sor-f1-b1.wav",
    "AudioWAV/1001_DFA_ANG_XX.txt",
    "my holiday.wav",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in [*(clip[0] for clip in CLIPS), *NO_CLIPS]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_every_layout_is_read_and_nothing_else(folder: Path) -> None:
    expected = {Named(folder / name, *rest) for name, *rest in CLIPS}
    found, skipped = read_names(folder)
    assert set(found) == expected
    assert skipped.count == sum(not name.endswith((".mp4", ".txt")) for name in NO_CLIPS)


def test_what_is_left_out_is_counted_by_its_label(tmp_path: Path) -> None:
    for name in ("disgusted/level_1/001", "disgusted/level_1/002", "contempt/level_2/001", "sad/level_2/001"):
        path = tmp_path / "M003" / "audio" / f"{name}.m4a"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "my holiday.wav").touch()
    clips, skipped = read_corpus(tmp_path)
    assert len(clips) == 1 and skipped.count == 4
    mead, strange = skipped.lines
    assert mead == "mead: clips of none of the five emotions: 1 of contempt, 2 of disgusted"
    assert strange.startswith("1 sounds are named as in no known corpus") and "my holiday.wav" in strange
    with pytest.raises(UserError, match="1 of contempt"):
        read_corpus(tmp_path / "M003" / "audio" / "contempt" / "level_2")


def test_a_folder_of_one_corpus_needs_no_manifest(folder: Path) -> None:
    clips, skipped = read_corpus(folder / "M003")
    assert skipped.lines == ["mead: clips of none of the five emotions: 1 of contempt"]
    assert [clip.corpus for clip in clips] == ["mead", "mead"]
    assert [(EMOTIONS[clip.emotion], clip.intensity) for clip in clips] == [("angry", 1), ("sad", -1)]


def test_a_manifest_comes_before_names(folder: Path) -> None:
    (folder / "M003" / "manifest.csv").write_text("path,corpus,speaker,emotion\naudio/sad/level_2/014.m4a,mine,me,happy\n")
    clips, _ = read_corpus(folder / "M003")
    assert [(clip.corpus, clip.speaker, EMOTIONS[clip.emotion]) for clip in clips] == [("mine", "me", "happy")]


def test_a_folder_of_something_else_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"neither manifest\.csv nor clips of the five emotions named as in crema_d, emodb, emovo"
    ):
        read_corpus(tmp_path)


@pytest.mark.skipif(not shared_data.SPEECH.is_dir(), reason=f"needs corpora in {shared_data.SPEECH}")
def test_names_say_what_the_manifest_says() -> None:
    """Every clip of the corpora in ../shared that have a layout of their own."""
    data = shared_data.SPEECH.resolve()
    by_manifest = {clip.path: clip for clip in read_corpus(data)[0]}
    for corpus in ("ravdess", "ravdess_song", "emodb", "nemo"):
        found, _ = read_names(data / corpus)
        assert len(found) == sum(clip.corpus == corpus for clip in by_manifest.values())
        voices = {}
        for clip in found:
            known = by_manifest[clip.path]
            assert (clip.corpus, clip.emotion) == (known.corpus, EMOTIONS[known.emotion])
            assert voices.setdefault(clip.speaker, known.speaker) == known.speaker
        assert len(set(voices.values())) == len(voices)
