"""What `train_bursts` learns from, bursts, speech, song and sounds without a voice; and what the listener makes of them."""

import re
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.trained import Trained
from models.emotion.vocal_bursts import KINDS, N_READ, NO_VOICE, SPEECH, Activity, VocalBursts, read
from models.emotion.voice_activity import CHUNK, SPEECH_PROBABILITY, SileroNetwork, VoiceActivity
from models.errors import UserError
from tools.emotion_conditions import NO_VOICE as MADE_UP
from tools.emotion_corpus import Sound, decode, read_corpus
from tools.emotion_layouts import SOUND_SUFFIXES
from tools.evaluate_emotion import stream

VOICE: Final = "voice"  # a burst, of whatever emotion
SONG: Final = "song"  # to the network, speech
LAUGHTER: Final = "laughter"  # this and the next: reflexes
COUGH: Final = "cough"  # and sneezes, breath, snoring
# EmoGator's thirty kinds, as far as they are one of ours or surely a voice.
_GATOR: Final = {2: LAUGHTER, 3: "angry", 11: VOICE, 13: "happy", 15: "fear", 18: "neutral", 19: VOICE, 24: "sad"}
_NAME: Final = re.compile(r"(\d{6})-(\d\d)-(\d)")  # who, what, which time
# Sounds whose names say that a voice may be in them.
_VOICES: Final = re.compile(
    r"voice|voc|vox|man_|yell|scream|laugh|cheer|crowd|talk|human|mouth|breath|cough|animal|child|hallway|lip_|tongue|spit|chew"
    r"|vocal_hum|sing_|people|quack|impression|pig_|formant|eating|baby|girl|boy|gargle|street_noise|subway|station|park|outside"
    r"|collage|radio|tv|conservatory|bbs_on|alien|cheek|kiss|burp",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(r"[\W_\d]+$")  # the second of three doors is heard with the first
_LOUD_DB: Final = 25.0  # below a clip's loudest chunks: what is louder is the burst
_LOUDEST: Final = 97.0  # percentile of a clip's chunks
_MADE_UP_SECONDS: Final = 40.0
_LONGEST: Final = 20 * EmotionClassifier.SAMPLE_RATE  # samples of a clip that voice activity learns from ...
_LONGEST_HEARD: Final = 6 * EmotionClassifier.SAMPLE_RATE  # ... and of which there are vectors
_KEPT_APART: Final = 5  # one person of so many

Floats = NDArray[np.float32]


class Example(NamedTuple):
    """A clip: one of KINDS, LAUGHTER, COUGH, VOICE or SONG; who, or what sound, is heard. Of sounds that are made up, `path` is
    empty."""

    path: Path
    kind: str
    person: str

    @property
    def apart(self) -> bool:
        """Whether it is kept apart, to see what was learnt from the others."""
        return zlib.crc32(self.person.encode()) % _KEPT_APART == 0


class States(NamedTuple):
    """Of n chunks of a clip: what is read of voice activity's states (n, N_READ), whether it calls them speech (n,), and whether
    they are as loud as what was recorded (n,)."""

    values: NDArray[np.float16]
    speech: NDArray[np.bool_]
    loud: NDArray[np.bool_]


def bursts(folder: Path, takes: int, thinned: int) -> list[Example]:
    """Of every `thinned`th person the first `takes` of each kind. Raises UserError where that folder is none of EmoGator's."""
    found = []
    for path in sorted(folder.glob("*.mp3")):
        name = _NAME.fullmatch(path.stem)
        if name and int(name[2]) in _GATOR and int(name[3]) <= takes and int(name[1]) % thinned == 0:
            found.append(Example(path, _GATOR[int(name[2])], name[1]))
    if missing := {*_GATOR.values()} - {example.kind for example in found}:
        raise UserError(
            f"{folder} holds no clips named NNNNNN-EE-I.mp3 of {', '.join(sorted(missing))}: name the folder mp3 of EmoGator"
        )
    return found


def speech(folders: list[Path], every: int) -> list[Example]:
    """Every so many clips of the corpora. Raises UserError as `read_corpus`."""
    clips = []
    for folder in folders:
        found, skipped = read_corpus(folder)
        skipped.tell()
        clips += found
    return [Example(clip.path, KINDS[SPEECH], clip.speaker) for clip in clips[::every]]


def sounds(folders: list[Path], most: int) -> list[Example]:
    """What is no voice: made up, and recordings as `recordings` finds them, but for those whose names say that there may be a
    voice in them."""
    made_up = [Example(Path(), KINDS[NO_VOICE], name) for name in MADE_UP if name != "laughter"]
    return made_up + recordings(folders, KINDS[NO_VOICE], most, _VOICES)


def recordings(folders: list[Path], kind: str, most: int, but: re.Pattern[str] | None = None) -> list[Example]:
    """Below each folder at most so many recordings, spread over all of them. Raises UserError where a folder holds none."""
    found = []
    for folder in folders:
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SOUND_SUFFIXES]
        files = [path for path in files if but is None or not but.search(path.stem)]
        if not files:
            raise UserError(f"{folder} holds no recordings that could stand for {kind}; name another folder")
        found += [Example(path, kind, _COUNTED.sub("", path.stem)) for path in files[:: -(-len(files) // most)]]
    return found


def sound_of(example: Example) -> Sound:
    """Its sound, at most twenty seconds. Raises UserError for a file that can't be read."""
    if example.path == Path():
        return MADE_UP[example.person](_MADE_UP_SECONDS, np.random.default_rng(zlib.crc32(example.person.encode())))
    return decode(example.path)[:_LONGEST]


def states_of(network: SileroNetwork, example: Example) -> States:
    """What voice activity makes of it, heard from its beginning; of every second chunk."""
    values: list[Tensor] = []

    def keep(states: Tensor) -> float:
        values.append(read(states))
        return 0.0

    sound = sound_of(example)
    spoken = np.array(VoiceActivity(network, keep).step(sound)) >= SPEECH_PROBABILITY
    level = 10 * np.log10(np.square(sound[: len(spoken) * CHUNK]).reshape(-1, CHUNK).mean(1) + 1e-12)
    loud = level > np.percentile(level, _LOUDEST) - _LOUD_DB if len(level) else spoken
    all_read = np.array([value.numpy() for value in values], np.float16).reshape(-1, N_READ)
    return States(all_read[::2], spoken[::2], loud[::2])


def listener(activity: Activity | None = None) -> EmotionClassifier:
    """The shipped one; with `activity`, bursts are voice to it, and all of it is speech."""
    trained = Trained.load(WEIGHTS, "restore the file from the repository")
    plain = EmotionClassifier(trained)
    if activity is None:
        return plain
    bias = np.where(np.arange(len(KINDS)) == SPEECH, 0.0, -np.inf).astype(np.float32)
    nothing = np.zeros((len(KINDS), N_EMBEDDING), np.float32)
    return EmotionClassifier(trained, VocalBursts(activity, nothing, bias, plain.identity))


def vectors_of(heard_by: EmotionClassifier, example: Example) -> Floats:
    """(n, N_EMBEDDING), of its first seconds: of all voice in the window and of the newest, at every second hop where there is
    some."""
    heard_by.reset()
    windows = [heard_by.window for _ in stream(heard_by, sound_of(example)[:_LONGEST_HEARD])][::2]
    heard = [vector for window in windows if window is not None for vector in (window.embedding, window.newest)]
    return np.array(heard, np.float32).reshape(-1, N_EMBEDDING)
