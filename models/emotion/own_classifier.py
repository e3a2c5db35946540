"""Somebody else's classifier of emotion: an ONNX file that hears a waveform, and the meanings of its labels.

The protocol (docs/emotion.md): one float32 input (1, samples), mono at 16 kHz, samples any number or a fixed one; the first
output (1, labels) holds logits. Beside FILE.onnx lies FILE.json, or the same keys stand in the file's own metadata:

    {"labels": ["ang", "calm", "hap"], "output": "logits", "normalise": true, "meaning": {"calm": "neutral"}}

`id2label` as transformers writes it into config.json serves as `labels`. What means none of the five counts as neutral: a face
at rest is no lie. The file is read as data by OpenVINO; voice activity and what happens in silence are ours.
"""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import openvino
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from models.emotion.hearing import EXCITED, Hearing, evidence, hearing, nothing_heard
from models.emotion.voice_activity import CHUNK, SAMPLE_RATE, SileroNetwork, VoiceActivity, speech_chunks
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL, emotion_called
from models.openvino_core import openvino_core

Floats = NDArray[np.float32]

HOP: Final = 1_600  # samples, 100 ms
WINDOW: Final = 48_000  # samples that a file with an input of any length is given
_SHORTEST: Final = SAMPLE_RATE // 2  # samples of a fixed input: less never holds as much speech as a whole verdict rests on
_LONGEST: Final = 10 * SAMPLE_RATE
_OUTPUTS: Final = ("logits", "probabilities")
_KEYS: Final = ("labels", "id2label", "output", "normalise", "meaning")


class Spoken(NamedTuple):
    """How much a verdict counts now, 0..1, and for how many seconds nobody has spoken."""

    counts: float
    silence: float


class OwnClassifier:
    """Streams sound through the file; `step` as `EmotionClassifier.step`. It knows no voice and no intensity.

    A step is `take` and, where somebody speaks, `probabilities` of the `sound` so far and `hearing_of` them: whoever can't wait
    for a large network calls these.
    """

    HOP: Final = HOP

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing, no ONNX, of another form than the protocol's, or does not say its labels."""
        model = _read(path)
        self._samples = _input_length(model, path)
        facts = _facts(model, path)
        self._meaning = meanings(facts, path)
        self._logits = facts.get("output", "logits") == "logits"
        self._normalise: bool = facts.get("normalise", False)
        self._run = openvino_core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
        self._voice_activity = VoiceActivity(SileroNetwork.load())
        self.reset()
        self._try(path)

    def reset(self) -> None:
        """Forget the sound so far."""
        self.sound = np.zeros(WINDOW if self._samples is None else self._samples, np.float32)
        """The newest, as much as the file wants; each hop a new array."""
        self._chunks: list[float] = []
        self._voice_activity.reset()

    def step(self, samples: Floats) -> Hearing:
        """The next 100 ms: float32 (1600,) at 16 kHz, full scale 1. What is no number counts as silence."""
        spoken = self.take(samples)
        return nothing_heard() if spoken.counts == 0.0 else hearing_of(self.probabilities(self.sound), spoken)

    def take(self, samples: Floats) -> Spoken:
        """The same samples, without asking the file."""
        if samples.shape != (HOP,):
            raise ValueError(f"expected {HOP} samples (100 ms at 16 kHz), got an array of shape {samples.shape}")
        samples = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        self.sound = np.concatenate([self.sound, samples])[-len(self.sound) :]
        self._chunks = (self._chunks + self._voice_activity.step(samples))[-(len(self.sound) // CHUNK) :]
        spoken = np.flatnonzero(speech_chunks(self._chunks))
        silence = (len(self._chunks) - 1 - spoken[-1] if len(spoken) else len(self._chunks)) * CHUNK / SAMPLE_RATE
        return Spoken(evidence(len(spoken) * CHUNK / SAMPLE_RATE, float(silence)), float(silence))

    def probabilities(self, sound: Floats) -> Floats:
        """Of the five (5,), for sound (n,) as long as the file wants it."""
        if self._normalise:
            sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        out = np.asarray(self._run(sound[None])[0], np.float64).reshape(-1)
        if self._logits:
            out = np.exp(out - out.max())
        out = np.nan_to_num(out.clip(min=0.0))
        of_five = np.bincount(self._meaning, out, minlength=len(EMOTIONS)) + 1e-9
        five: Floats = (of_five / of_five.sum()).astype(np.float32)
        return five

    def _try(self, path: Path) -> None:
        """It must hear silence without complaint, and answer with one number a label."""
        try:
            shape = np.asarray(self._run(self.sound[None])[0]).shape
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"{path} can't hear {len(self.sound) / SAMPLE_RATE:.1f} s of sound ({reason}); export it anew"
            ) from error
        if shape not in ((1, len(self._meaning)), (len(self._meaning),)):
            raise UserError(
                f"{path} answers with the shape {list(shape)}, expected [1, {len(self._meaning)}], one number a label"
            )


def hearing_of(heard: Floats, spoken: Spoken) -> Hearing:
    """From probabilities (5,) of the newest sound, or of some a little older."""
    excited = float(np.clip(heard @ np.array(EXCITED), 1e-4, 1 - 1e-4))
    return hearing(heard, *spoken, float(np.log(excited / (1 - excited))))


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"no classifier at {path}; name an ONNX file, see docs/emotion.md")
    try:
        if not onnx.load(path, load_external_data=False).graph.node:  # OpenVINO says more than a line of what is no ONNX
            raise DecodeError
        return openvino_core().read_model(path)
    except (RuntimeError, DecodeError) as error:
        raise UserError(
            f"{path} is no ONNX file that OpenVINO can read, or is damaged; export it anew, see docs/emotion.md"
        ) from error


def _input_length(model: Any, path: Path) -> int | None:
    """How many samples the file wants; None = any number."""
    shapes = [one.partial_shape for one in model.inputs]
    kinds = [one.element_type.to_string() for one in model.inputs]
    if (
        len(shapes) != 1
        or kinds != ["f32"]
        or shapes[0].rank.is_dynamic
        or len(shapes[0]) != 2
        or not shapes[0][0].compatible(openvino.Dimension(1))
    ):
        found = ", ".join(f"{kind} {shape}" for kind, shape in zip(kinds, shapes, strict=True)) or "none"
        raise UserError(f"{path} has the input {found}, expected one float32 (1, samples) at 16 kHz; export it so")
    if shapes[0][1].is_dynamic:
        return None
    length = int(shapes[0][1].get_length())
    if not _SHORTEST <= length <= _LONGEST:
        raise UserError(f"{path} hears {length} samples at 16 kHz at a time, expected {_SHORTEST} to {_LONGEST}; export it so")
    return length


def _facts(model: Any, path: Path) -> dict[str, Any]:
    """What is said of the labels: in the file beside, or in the file itself."""
    beside = path.with_suffix(".json")
    if beside.is_file():
        try:
            facts = json.loads(beside.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{beside} is no JSON ({error}); write the labels there, see docs/emotion.md") from error
        if not isinstance(facts, dict):
            raise UserError(f'{beside} should hold one object like {{"labels": ["angry", "neutral"]}}; see docs/emotion.md')
        return facts
    facts = {}
    for key in _KEYS:
        if model.has_rt_info(["framework", key]):
            try:
                text = str(model.get_rt_info(["framework", key]).value)
            except UnicodeDecodeError as error:
                raise UserError(f'"{key}" in {path} is no UTF-8 text; export it anew, or write it into {beside}') from error
            try:
                facts[key] = json.loads(text)
            except (ValueError, RecursionError):
                facts[key] = text
    if not facts:
        raise UserError(f"nothing says what the outputs of {path} mean; write its labels into {beside}, see docs/emotion.md")
    return facts


def meanings(facts: dict[str, Any], path: Path) -> NDArray[np.int64]:
    """The number of an emotion for each output. Raises UserError where the labels are missing or mean too little."""
    labels, numbered, own = facts.get("labels"), facts.get("id2label"), facts.get("meaning", {})
    if labels is None and isinstance(numbered, dict):
        labels = [numbered.get(str(i)) for i in range(len(numbered))]
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise UserError(f'the labels of {path} should be a list of names, got {labels!r}; write "labels": ["angry", "neutral"]')
    if not isinstance(own, dict) or not all(label in labels and emotion in EMOTIONS for label, emotion in own.items()):
        raise UserError(f'"meaning" of {path} should give labels of its own one of {", ".join(EMOTIONS)}; got {own!r}')
    if not isinstance(facts.get("normalise", False), bool):
        raise UserError(f'"normalise" of {path} is {facts["normalise"]!r}, expected true or false')
    if facts.get("output", "logits") not in _OUTPUTS:
        raise UserError(f'"output" of {path} is {facts["output"]!r}, expected one of {", ".join(_OUTPUTS)}')
    meant = {label.lower(): EMOTIONS.index(emotion) for label, emotion in own.items()}
    found = [meant.get(label.lower(), emotion_called(label)) for label in labels]
    if len(set(found) - {None, NEUTRAL}) < 2:
        raise UserError(
            f"the labels of {path} ({', '.join(labels)}) mean fewer than two of {', '.join(EMOTIONS)} beside neutral; "
            'say what they mean: "meaning": {"label": "happy"}'
        )
    return np.array([NEUTRAL if number is None else number for number in found], np.int64)
