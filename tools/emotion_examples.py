"""Windows of three seconds for `train_emotion`, from clips under made-up recording conditions.

A window may hold one clip, two of the same voice and emotion, or only a piece of one; it sits anywhere in the window.
What can be done to log mel powers is varied anew for every window: microphone, noise, pitch, gaps.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.emotion.front_end import HOP_LENGTH, N_FRAME_FEATURES, N_MELS, SAMPLE_RATE, n_frames
from tools.emotion_corpus import Clip, Copy

WINDOW_FRAMES: Final = n_frames(3 * SAMPLE_RATE)
_BATCH: Final = 64
_LEAST_SPEECH: Final = 20  # frames, for a clip to be trained on
_HOP_FRAMES: Final = SAMPLE_RATE // HOP_LENGTH  # between the windows of a long test clip
_MASKED: Final = np.array([-20.0] * N_MELS + [0.0, -3.0, 0.0, 0.0], np.float16)  # a frame outside of every clip
assert len(_MASKED) == N_FRAME_FEATURES

Indices = NDArray[np.int64]


class Windows(NamedTuple):
    """Numbers of the clips (B,), their frame features (B, WINDOW_FRAMES, N_FRAME_FEATURES) and speech (B, WINDOW_FRAMES)."""

    clips: Indices
    frames: Tensor
    speech: Tensor


def voice_numbers(clips: list[Clip]) -> Indices:
    """Per clip the number of its voice: a speaker of a corpus."""
    return np.unique([f"{clip.corpus}/{clip.speaker}" for clip in clips], return_inverse=True)[1]


def training_windows(clips: list[Clip], copy: Copy, seed: int, among: Indices | None = None) -> Iterator[Windows]:
    """One window of every clip, or of those `among` them, with enough speech, cut and varied at random."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    cutter = WindowCutter(clips, copy)
    usable = cutter.usable if among is None else np.intersect1d(cutter.usable, among)
    for chunk in range(0, len(usable), _BATCH):
        ids = usable[chunk : chunk + _BATCH]
        cut = [cutter.training_window(rng, int(i)) for i in ids]
        frames = torch.from_numpy(np.stack([frames for frames, _ in cut]).astype(np.float32))
        speech = torch.from_numpy(np.stack([speech for _, speech in cut]))
        yield Windows(ids, varied(frames, speech, generator), speech)


def test_windows(clips: list[Clip], copy: Copy, among: Indices | None = None) -> Iterator[Windows]:
    """Every clip, or those `among` them, in windows from its first speech on, one second apart."""
    cutter = WindowCutter(clips, copy)
    cuts = []
    for i in range(len(clips)) if among is None else among.tolist():
        begin, end = copy.offsets[i], copy.offsets[i + 1]
        spoken = np.flatnonzero(copy.speech[begin:end])
        first = begin + (spoken[0] if len(spoken) else 0)
        cuts += [(i, start) for start in range(first, max(first, end - WINDOW_FRAMES) + 1, _HOP_FRAMES)]
    for chunk in range(0, len(cuts), _BATCH):
        part = cuts[chunk : chunk + _BATCH]
        windows = [cutter.cut(i, start) for i, start in part]
        frames = torch.from_numpy(np.stack([frames for frames, _ in windows]).astype(np.float32))
        speech = torch.from_numpy(np.stack([speech for _, speech in windows]))
        yield Windows(np.array([i for i, _ in part]), frames, speech)


class WindowCutter:
    """Cuts windows out of one copy of the clips. `usable`: numbers of the clips with enough speech."""

    def __init__(self, clips: list[Clip], copy: Copy) -> None:
        self._copy = copy
        self._emotion = np.array([clip.emotion for clip in clips])
        self._voice = voice_numbers(clips)
        speech = np.array([copy.speech[a:b].sum() for a, b in zip(copy.offsets[:-1], copy.offsets[1:], strict=True)])
        self.usable: Indices = np.flatnonzero(speech >= _LEAST_SPEECH)
        self._of_voice = [self.usable[self._voice[self.usable] == v] for v in range(int(self._voice.max()) + 1)]

    def cut(self, i: int, start: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        """Frames from `start` on, at most to the clip's end, at the beginning of a window."""
        end = min(start + WINDOW_FRAMES, int(self._copy.offsets[i + 1]))
        frames = np.tile(_MASKED, (WINDOW_FRAMES, 1))
        speech = np.zeros(WINDOW_FRAMES, np.float32)
        frames[: end - start] = self._copy.frames[start:end]
        speech[: end - start] = self._copy.speech[start:end]
        return frames, speech

    def training_window(self, rng: np.random.Generator, i: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        """Clip `i` somewhere in a window, perhaps beside another of the same voice and emotion, or a piece of it: features and
        speech."""
        begin, end = int(self._copy.offsets[i]), int(self._copy.offsets[i + 1])
        start = begin + int(rng.integers(0, max(1, end - begin - WINDOW_FRAMES + 1)))
        frames, speech = self.cut(i, start)
        free = WINDOW_FRAMES - (end - start)
        if free > 0:
            if free > 60 and rng.random() < 0.5:
                same = self._of_voice[self._voice[i]]
                j = int(rng.choice(same[self._emotion[same] == self._emotion[i]]))
                more, more_speech = self.cut(j, int(self._copy.offsets[j]))
                frames[-free:], speech[-free:] = more[:free], more_speech[:free]
            else:
                shift = int(rng.integers(0, free + 1))
                frames, speech = np.roll(frames, shift, axis=0), np.roll(speech, shift)
        if rng.random() < 0.35:  # only half a second to two seconds heard so far
            spoken = np.flatnonzero(speech)
            if len(spoken):
                length = int(rng.integers(50, 200))
                first = int(rng.choice(spoken)) - length // 2
                inside = np.zeros_like(speech)
                inside[max(0, first) : max(0, first) + length] = 1.0
                speech = speech * inside
        if rng.random() < 0.3:  # a gap
            first, length = int(rng.integers(0, WINDOW_FRAMES)), int(rng.integers(5, 40))
            gap = speech.copy()
            gap[first : first + length] = 0.0
            speech = gap if gap.sum() >= 30 else speech
        return frames, speech


def varied(frames: Tensor, speech: Tensor, generator: torch.Generator) -> Tensor:
    """Features (B, T, N_FRAME_FEATURES) of windows with that speech (B, T): another microphone and pitch for one half, and noise
    for some."""
    size = len(frames)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    other = (torch.rand(size, generator=generator) < 0.5).float()
    orders = torch.arange(1, 6, dtype=torch.float32)
    waves = torch.cos(torch.pi * orders[:, None] * (torch.arange(N_MELS) + 0.5) / N_MELS)
    curve = (normal(size, 5) * 0.7 / orders.sqrt() * other[:, None]) @ waves
    mel = frames[..., :N_MELS] + curve[:, None]
    shift = torch.rand(size, generator=generator).sub(0.5).mul(0.3) * other
    voice = frames[..., N_MELS:].clone()
    voice[..., 0] += shift[:, None]
    noisy = torch.rand(size, generator=generator) < 0.25
    if bool(noisy.any()):
        power = mel[noisy].exp()
        weight = speech[noisy][..., None]
        level = (power * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1.0) / N_MELS
        snr = torch.rand(len(power), generator=generator) * 25 + 8
        slope = (normal(len(power), 1) * 1.5) * torch.linspace(-1, 1, N_MELS)
        flutter = torch.empty_like(power).exponential_(generator=generator)
        noise = (level * 10 ** (-snr / 10))[:, None, None] * slope.exp()[:, None] * flutter
        mel[noisy] = (power + noise).log()
    return torch.cat([mel, voice], dim=-1)
