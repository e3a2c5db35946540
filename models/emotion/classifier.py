"""The listener: every 100 ms, what emotion the voice carries.

Sound -> frames (front_end, each computed once) and voice activity -> vectors of the last three seconds and of the newest 1.2 s of
speech in them (embedding), minus the voice's own mean (voice_mean) -> network -> calibrated verdicts, beside it what is heard in
bursts of voice (vocal_bursts); those on the newest speech add up to a belief (belief). Where nobody speaks, or somebody only
laughs or coughs, there is no emotion (hearing).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.emotion.belief import Belief
from models.emotion.embedding import Encoded, WindowEmbedding, newest
from models.emotion.front_end import BLOCK, HOP_LENGTH, N_FRAME_FEATURES, FrontEnd, n_frames
from models.emotion.hearing import Hearing, evidence, hearing, nothing_heard
from models.emotion.performers import Performers
from models.emotion.trained import Trained
from models.emotion.vocal_bursts import ALL_SPEECH, Shares, VocalBursts
from models.emotion.voice_activity import CHUNK, SileroNetwork, VoiceActivity, speech_chunks
from models.emotion.voice_mean import FRAMES_PER_SECOND, VoiceMean
from models.emotion.voice_profile import VoiceProfile
from models.errors import UserError

Floats = NDArray[np.float32]

WEIGHTS: Final = Path(__file__).parent / "weights" / "emotion.safetensors"
_PAUSE: Final = 70  # frames of silence after which speech is a new utterance ...
_NEW_UTTERANCE: Final = 50  # ... that stands for itself once it is this long


class Window(NamedTuple):
    """What the network saw: the vector (N_EMBEDDING,) of all voice and of the newest, how many frames of voice there were, and
    how many of them were new speech."""

    embedding: Floats
    newest: Floats
    n_speech: int
    n_new: int


class _Judgement(NamedTuple):
    """Of n vectors: the network's hidden layer (n, N_HIDDEN); calibrated logits (n, 5) of the emotions, those (n,) of being
    excited, and of being strongly expressed; how well the voice is known, 0..1."""

    hidden: Floats
    logits: Floats
    arousal: Floats
    intensity: Floats
    known: float


class EmotionClassifier:
    """Streaming classifier; deterministic: the same sound after `reset` gives the same bits."""

    SAMPLE_RATE: Final = 16_000
    HOP: Final = 1_600  # samples, 100 ms
    WINDOW: Final = 48_000  # samples, 3 s

    def __init__(self, trained: Trained, bursts: VocalBursts | None = None) -> None:
        """`bursts` are heard if that was learnt from the vectors of this very network and encoder.

        Raises UserError where the parts were never calibrated, or voice activity's published weights are missing."""
        if trained.temperature is None:
            raise UserError(
                "weights of the emotion classifier without temperatures; train_emotion --ship makes some that have them"
            )
        network = self._network = trained.network.eval()
        self._temperature = trained.temperature
        self._front_end = FrontEnd()
        self.embed: Callable[[Tensor, Tensor], Encoded] = WindowEmbedding(self._front_end, trained.encoder.listening())
        """Frames of a window -> its vectors: by far the most of the work, and the same whatever is known of the voice."""
        self.identity: Final = _identity(trained.network, trained.encoder)
        """Of the weights: a profile of a voice belongs to one."""
        self._bursts = bursts if bursts is not None and bursts.classifier == self.identity else None
        self._voice_activity = VoiceActivity(SileroNetwork.load(), None if self._bursts is None else self._bursts.activity)
        self.shifts: Final = network.shifts.numpy()
        """How far each emotion moves a voice's vectors away from its mean (5, N_EMBEDDING)."""
        self._voice = VoiceMean(network.mean.numpy(), self.shifts)
        self._voices = trained.voices
        self._belief = Belief()
        self._window_frames = n_frames(self.WINDOW)
        self.adopt()

    @classmethod
    def load(cls, weights: Path = WEIGHTS) -> "EmotionClassifier":
        """With the weights in that file, and the shipped ones for vocal bursts. Raises UserError if one is missing or damaged."""
        advice = "restore the file from the repository or train it: python -m tools.train_emotion --help"
        return cls(Trained.load(weights, advice), VocalBursts.load())

    def adopt(self, *profiles: VoiceProfile) -> None:
        """From now on one of these voices, or a stranger's; forgets the sound so far.

        Raises UserError for a profile that was made with other weights."""
        for profile in profiles:
            if profile.classifier != self.identity:
                raise UserError(
                    f"the voice profile was made with other weights of the classifier ({profile.classifier}, here "
                    f"{self.identity}); enrol the voice again: python -m tools.enrol_voice FILE"
                )
        self._performers = Performers(profiles, self._voices, self._network.mean.numpy(), self.shifts, self._window_frames)
        self.reset()

    @property
    def shares(self) -> NDArray[np.float64]:
        """How likely it is that each of those whose profiles were adopted is who speaks (n,); the rest is a stranger's."""
        return self._performers.shares

    def reset(self) -> None:
        """Forget the sound so far, and of the voices what their profiles do not say."""
        self._samples = np.zeros(0, np.float32)  # heard, but not yet in a frame
        self._frames = torch.zeros(0, N_FRAME_FEATURES)
        self._frames_heard = 0
        self._chunks: list[float] = []  # voice activity, of the newest chunks
        self._spoken: list[float] = []  # of the same chunks, speech alone
        self._chunks_heard = 0
        self._voice_activity.reset()
        self._belief.reset()
        self._voice.reset()
        self._performers.reset()
        self.window: Window | None = None
        """What the last verdict was made of; None where there was none."""

    @torch.no_grad()
    def step(self, samples: Floats) -> Hearing:
        """The next 100 ms: float32 (1600,) at 16 kHz, full scale 1. What is no number counts as silence."""
        if samples.shape != (self.HOP,):
            raise ValueError(f"expected {self.HOP} samples (100 ms at 16 kHz), got an array of shape {samples.shape}")
        samples = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        new_frames = self._listen(samples)
        speech = self._speech()
        n_speech = int(speech.sum())
        silence = len(speech) if n_speech == 0 else len(speech) - 1 - int(np.flatnonzero(speech)[-1])
        counts = evidence(n_speech / FRAMES_PER_SECOND, silence / FRAMES_PER_SECOND)
        if counts == 0.0:
            self._belief.reset()
            self.window = None
            return nothing_heard()

        mask = torch.from_numpy(_newest_utterance(speech))[None]
        both = torch.stack([mask, newest(mask)], dim=1)
        vectors = self.embed(self._frames[None], mask).over(both)[0].numpy()
        n_new = int(mask[0, -new_frames:].sum()) if silence < new_frames else 0
        shares = self._heard_in(vectors, mask[0].numpy())
        n_speech_new = round(n_new * shares.speech[-1])  # what is no speech says nothing of how the voice speaks
        self.window = Window(vectors[0], vectors[1], int(mask.sum()), n_speech_new)
        self._performers.recognise(vectors[0], n_speech_new)
        verdict = self._judge(vectors, self.shares)
        window, recent = shares.logits(verdict.logits)
        telling = 1.0 - shares.reflex[-1] - shares.no_voice[-1]  # neither is one of the five
        voice_seconds, new_seconds = self.window.n_speech / FRAMES_PER_SECOND, telling * n_new / FRAMES_PER_SECOND
        elapsed = self.HOP / self.SAMPLE_RATE
        believed = self._belief.step(recent, window, voice_seconds, new_seconds, elapsed, verdict.known)
        self._voice.add(vectors[0], n_speech_new, believed)
        self._performers.add(vectors[0], n_speech_new, believed)
        if shares.no_voice[-1] > 0.5:  # what stands for silence is longer than any pause
            silence = len(speech)
        arousal, intensity = float(verdict.arousal.mean()), float(verdict.intensity.mean())
        seconds = silence / FRAMES_PER_SECOND
        return hearing(believed, counts * telling, seconds, arousal, intensity, self._performers.name)

    def judged(self, window: Window) -> tuple[Floats, Floats]:
        """Of a window's vectors, of all speech and of the newest, for the one voice whose profile was adopted, whoever it sounds
        like: what the network makes of them (2, N_HIDDEN), and its calibrated logits (2, 5)."""
        judgement = self._judge(np.stack([window.embedding, window.newest]), np.ones(1))
        return judgement.hidden, judgement.logits

    @torch.no_grad()
    def _judge(self, vectors: Floats, shares: NDArray[np.float64]) -> "_Judgement":
        centre, known = self._performers.centre(*self._voice.centre(), shares)
        centres = torch.from_numpy(centre).expand(len(vectors), -1)
        hidden = self._network.hidden(torch.from_numpy(vectors), centres, torch.full((len(vectors),), known))
        verdict = self._network.verdict(hidden)
        stranger_temperature, known_temperature = self._temperature
        temperature = stranger_temperature + known * (known_temperature - stranger_temperature)
        logits: Floats = (verdict.emotion / temperature).numpy() + self._performers.correction(hidden.numpy(), shares)
        return _Judgement(hidden.numpy(), logits, (verdict.arousal / temperature).numpy(), verdict.intensity.numpy(), known)

    def _listen(self, samples: Floats) -> int:
        """Take in new sound; how many new frames it gave."""
        self._samples = np.concatenate([self._samples, samples])
        new = n_frames(len(self._samples))
        features = self._front_end.frame_features(torch.from_numpy(self._samples))
        self._samples = self._samples[new * HOP_LENGTH :]
        self._frames = torch.cat([self._frames, features])[-self._window_frames :]
        self._frames_heard += new
        chunks = self._voice_activity.step(samples)
        kept = self.WINDOW // CHUNK + 8
        self._chunks = (self._chunks + chunks)[-kept:]
        self._spoken = (self._spoken + self._voice_activity.spoken)[-kept:]
        self._chunks_heard += len(chunks)
        return new

    def _heard_in(self, vectors: Floats, frames: Floats) -> Shares:
        """What is heard in vectors (n, N_EMBEDDING) of a window whose frames of voice are these, 0 and 1 (T,)."""
        if self._bursts is None:
            return ALL_SPEECH
        spoken = float(frames @ self._of_frames(self._spoken)) / FRAMES_PER_SECOND
        return self._bursts.heard_in(vectors).where_spoken(evidence(spoken, 0.0))

    def _speech(self) -> Floats:
        """Which frames of the window are voice: 0 and 1."""
        return self._of_frames(self._chunks)

    def _of_frames(self, probabilities: list[float]) -> Floats:
        """Which frames of the window belong to what the chunks' probabilities say: 0 and 1. The newest take after the last
        finished chunk."""
        first = self._frames_heard - len(self._frames)
        centres = (first + np.arange(len(self._frames))) * HOP_LENGTH + BLOCK // 2
        chunks = centres // CHUNK - (self._chunks_heard - len(self._chunks))
        return speech_chunks(probabilities)[np.clip(chunks, 0, len(probabilities) - 1)].astype(np.float32)


def _identity(*parts: nn.Module) -> str:
    """16 hex digits of what was trained."""
    digest = hashlib.sha256()
    for part in parts:
        for _, array in sorted(part.state_dict().items()):
            digest.update(array.numpy().tobytes())
    return digest.hexdigest()[:16]


def _newest_utterance(speech: Floats) -> Floats:
    """The mask without what was said before the last long pause, once enough was said after it."""
    spoken = np.flatnonzero(speech)
    pauses = np.flatnonzero(np.diff(spoken) > _PAUSE)
    if len(pauses) and len(spoken) - pauses[-1] - 1 >= _NEW_UTTERANCE:
        speech = speech.copy()
        speech[: spoken[pauses[-1]] + 1] = 0.0
    return speech
