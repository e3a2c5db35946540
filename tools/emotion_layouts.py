"""Corpora of acted speech as they are published: labels and speakers from the names of their files and folders.

RAVDESS (S. R. Livingstone, F. A. Russo 2018), CREMA-D (H. Cao et al. 2014), EMO-DB (F. Burkhardt et al. 2005), TESS
(M. K. Pichora-Fuller, K. Dupuis 2020), SAVEE (P. Jackson, S. Haq 2014), MEAD (K. Wang et al. 2020), nEMO (I. Christop 2024) and
EMOVO (G. Costantini et al. 2014). Emotions outside of the five, and sounds that are named otherwise, are counted and left out.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.labels import EMOTIONS, emotion_called
from tools.skipped import Skipped

SOUND_SUFFIXES: Final = {".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus"}


@dataclass(frozen=True)
class Layout:
    """How a corpus names its clips. `pattern` is searched at the end of a path without its suffixes, and names `speaker`,
    `emotion` and perhaps `intensity`; the two dictionaries say what the corpus's words mean that are none of the usual ones."""

    corpus: str
    pattern: re.Pattern[str]
    emotions: dict[str, str]
    intensities: dict[str, str]


@dataclass(frozen=True)
class Named:
    """What a clip's name says: `emotion` one of the five, `intensity` "normal", "strong" or "" where it does not say."""

    path: Path
    corpus: str
    speaker: str
    emotion: str
    intensity: str


def _layout(
    corpus: str, pattern: str, emotions: dict[str, str] | None = None, intensities: dict[str, str] | None = None
) -> Layout:
    return Layout(corpus, re.compile(rf"(?:^|/){pattern}$"), emotions or {}, intensities or {})


_RAVDESS: Final = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust", "08": "surprise",
}  # fmt: skip
_STRENGTH: Final = {"01": "normal", "02": "strong"}

LAYOUTS: Final = (
    # 03-01-05-02-01-01-12: sound only, speech, angry, strong, sentence, repetition, actor
    _layout("ravdess", r"03-01-(?P<emotion>\d\d)-(?P<intensity>\d\d)-\d\d-\d\d-(?P<speaker>\d\d)", _RAVDESS, _STRENGTH),
    _layout("ravdess_song", r"03-02-(?P<emotion>\d\d)-(?P<intensity>\d\d)-\d\d-\d\d-(?P<speaker>\d\d)", _RAVDESS, _STRENGTH),
    # 1001_DFA_ANG_HI: actor, sentence, emotion, level (low, medium, high, not told)
    _layout(
        "crema_d",
        r"(?P<speaker>1\d{3})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(?P<intensity>LO|MD|HI|XX?)",
        {"ANG": "angry", "NEU": "neutral", "FEA": "fear", "HAP": "happy", "SAD": "sad", "DIS": "disgust"},
        {"LO": "normal", "HI": "strong"},
    ),
    # 03a01Wa: speaker, text, Wut, take
    _layout(
        "emodb",
        r"(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[A-Z])[a-f]",
        {"W": "angry", "N": "neutral", "A": "fear", "F": "happy", "T": "sad", "L": "boredom", "E": "disgust"},
    ),
    # OAF_back_angry
    _layout("tess", r"(?P<speaker>OA|YA)F?_\w+?_(?P<emotion>[a-z]+)", {"ps": "surprise"}),
    # DC/sa01, or DC_sa01
    _layout(
        "savee",
        r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>a|d|f|h|n|sa|su)\d\d",
        {"a": "angry", "n": "neutral", "f": "fear", "h": "happy", "sa": "sad", "d": "disgust", "su": "surprise"},
    ),
    # M003/audio/angry/level_3/001
    _layout(
        "mead",
        r"(?P<speaker>[MW]\d{3})/(?:audio/)?(?P<emotion>[a-z]+)/level_(?P<intensity>\d)/\d+",
        intensities={"1": "normal", "3": "strong"},
    ),
    # SKA_anger_12
    _layout("nemo", r"(?P<speaker>[A-Z]{2}[A-Z\d])_(?P<emotion>[a-z]+)_\d+"),
    # rab-f1-b1: rabbia, speaker, sentence
    _layout(
        "emovo",
        r"(?P<emotion>[a-z]{3})-(?P<speaker>[fm]\d)-[a-z]+\d?",
        {"rab": "angry", "neu": "neutral", "pau": "fear", "gio": "happy", "tri": "sad", "dis": "disgust", "sor": "surprise"},
    ),
)  # fmt: skip


def read_names(folder: Path) -> tuple[list[Named], Skipped]:
    """The clips below `folder` whose names one of `LAYOUTS` knows, in the order of their paths; and how many there are of other
    emotions in each corpus, and of other sounds."""
    found, others, strange = [], defaultdict[str, Counter[str]](Counter), list[Path]()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if not {suffix.lower() for suffix in path.suffixes} & SOUND_SUFFIXES:
            continue
        layout, said = _names(path)
        if layout is None:
            strange.append(path)
            continue
        word = layout.emotions.get(said["emotion"], said["emotion"])
        emotion = emotion_called(word)
        if emotion is None:
            others[layout.corpus][word] += 1
            continue
        speaker = f"{layout.corpus.removesuffix('_song')}_{said['speaker']}"
        intensity = layout.intensities.get(said.get("intensity", ""), "")
        found.append(Named(path, layout.corpus, speaker, EMOTIONS[emotion], intensity))
    skipped = Skipped()
    for corpus, words in others.items():
        each = ", ".join(f"{n} of {word}" for word, n in sorted(words.items()))
        skipped.add(f"{corpus}: clips of none of the five emotions: {each}", words.total())
    if strange:
        skipped.add(f"{len(strange)} sounds are named as in no known corpus, the first {strange[0]}", len(strange))
    return found, skipped


def _names(path: Path) -> tuple[Layout | None, dict[str, str]]:
    """The layout that knows the name of a sound, and what it says."""
    whole = path.absolute().as_posix()
    stem = whole[: len(whole) - sum(len(suffix) for suffix in path.suffixes)]
    for layout in LAYOUTS:
        if matched := layout.pattern.search(stem):
            return layout, matched.groupdict()
    return None, {}
