"""Training and test examples for `train_emotion`: windows of three seconds, with and without the voice's own mean.

A window may hold one clip, two of the same voice and emotion, or only a piece of one; it sits anywhere in the window.
What can be done to log mel powers is varied anew for every example: microphone, noise, pitch, gaps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.emotion.front_end import HOP_LENGTH, N_FRAME_FEATURES, N_MELS, SAMPLE_RATE, FrontEnd, n_frames
from models.emotion.voice_mean import FRAMES_PER_SECOND, centre, sums
from models.labels import EMOTIONS, NEUTRAL
from tools.emotion_corpus import Clip, Copy

WINDOW_FRAMES: Final = n_frames(3 * SAMPLE_RATE)
_SONG_WEIGHT: Final = 0.4  # of a corpus of singing beside one of speech
_STRANGER_SHARE: Final = 0.5  # of examples without a voice mean
_HOP_FRAMES: Final = SAMPLE_RATE // HOP_LENGTH  # between the windows of a long test clip
_MASKED: Final = np.array([-20.0] * N_MELS + [0.0, -3.0, 0.0, 0.0], np.float16)  # a frame outside of every clip
assert len(_MASKED) == N_FRAME_FEATURES

Indices = NDArray[np.int64]


class Batch(NamedTuple):
    """Network input and labels: features (B, T, N_FEATURES), speech (B, T), centre (B, N_FEATURES), known (B,), emotion (B,)."""

    features: Tensor
    speech: Tensor
    centre: Tensor
    known: Tensor
    emotion: Tensor


@dataclass(frozen=True)
class Voices:
    """Per copy and clip what `voice_mean.sums` says of it: `total`, `count` (copies, clips, N_FEATURES)."""

    total: NDArray[np.float32]
    count: NDArray[np.float32]


def voice_sums(copy: Copy, front_end: FrontEnd) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sums and counts (clips, N_FEATURES) of every clip of a copy."""
    results = []
    for begin, end in zip(copy.offsets[:-1], copy.offsets[1:], strict=True):
        speech = torch.from_numpy(copy.speech[begin:end].astype(np.float32))
        features = front_end.network_input(torch.from_numpy(copy.frames[begin:end].astype(np.float32)), speech)
        results.append(sums(features.numpy(), speech.numpy()))
    return np.stack([total for total, _ in results]), np.stack([count for _, count in results])


class Examples:
    """Draws examples from a list of clips and the copies of their features."""

    def __init__(self, clips: list[Clip], copies: list[Copy], voices: Voices, front_end: FrontEnd) -> None:
        self._copies, self._voices, self._front_end = copies, voices, front_end
        self.emotion = np.array([clip.emotion for clip in clips])
        self.corpus = np.array([clip.corpus for clip in clips])
        voice_names = [f"{clip.corpus}/{clip.speaker}" for clip in clips]
        self._voice = np.unique(voice_names, return_inverse=True)[1]
        speech = voices.count[0].max(1)
        self.usable = speech >= 0.2 * FRAMES_PER_SECOND
        self._of_voice = [np.flatnonzero((self._voice == v) & self.usable) for v in range(self._voice.max() + 1)]

    def everyone(self, among: Indices) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the features over all corpora, each counting alike: (N_FEATURES,) both."""
        names = np.unique(self.corpus[among])
        means, squares = [], []
        for name in names:
            ids = among[self.corpus[among] == name]
            total, count = self._voices.total[0][ids], self._voices.count[0][ids]
            means.append(total.sum(0) / np.maximum(count.sum(0), 1.0))
            sample = self._windows_of(0, np.random.default_rng(0).choice(ids, 64))
            weight = sample.speech.unsqueeze(-1) * (sample.features != 0)
            squares.append(((sample.features**2 * weight).sum((0, 1)) / weight.sum((0, 1)).clamp(min=1.0)).numpy())
        mean = np.mean(means, axis=0)
        return torch.from_numpy(mean), torch.from_numpy(np.sqrt(np.maximum(np.mean(squares, axis=0) - mean**2, 1e-3))).float()

    def batches(self, among: Indices, everyone: NDArray[np.float32], size: int, seed: int) -> Iterator[Batch]:
        """Training batches without end: corpora alike, emotions alike, strangers and known voices mixed."""
        rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        among = among[self.usable[among]]
        groups, weights = [], []
        for corpus in np.unique(self.corpus[among]):
            cells = [
                ids
                for e in range(len(EMOTIONS))
                if len(ids := among[(self.corpus[among] == corpus) & (self.emotion[among] == e)])
            ]
            groups += cells
            weights += [(_SONG_WEIGHT if corpus.endswith("song") else 1.0) / len(cells)] * len(cells)
        probability = np.array(weights) / sum(weights)
        while True:
            ids = np.array([rng.choice(groups[g]) for g in rng.choice(len(groups), size, p=probability)])
            numbers = np.where(rng.random(size) < 0.25, 0, rng.integers(0, len(self._copies), size))
            cut = [self._training_window(rng, i, k) for i, k in zip(ids, numbers, strict=True)]
            frames = torch.from_numpy(np.stack([frames for frames, _ in cut]).astype(np.float32))
            speech = torch.from_numpy(np.stack([speech for _, speech in cut]))
            stranger = rng.random(size) < _STRANGER_SHARE
            centres, known = self._centres(rng, ids, numbers, stranger, everyone)
            frames = _vary(frames, speech, torch.from_numpy(stranger), generator)
            features = self._front_end.network_input(frames, speech)
            yield Batch(features, speech, centres, known, torch.from_numpy(self.emotion[ids]))

    def test_batches(
        self, among: Indices, everyone: NDArray[np.float32], seconds: float, seed: int = 0
    ) -> Iterator[tuple[Indices, Batch]]:
        """Every clip as recorded, in windows from its first speech on, one second apart; with the clips' numbers.

        `seconds` of the voice's other clips make its mean; 0 = stranger."""
        rng = np.random.default_rng(seed)
        copy = self._copies[0]
        cuts = []
        for i in among:
            begin, end = copy.offsets[i], copy.offsets[i + 1]
            spoken = np.flatnonzero(copy.speech[begin:end])
            first = begin + (spoken[0] if len(spoken) else 0)
            last = max(first, end - WINDOW_FRAMES)
            cuts += [(i, start) for start in range(first, last + 1, _HOP_FRAMES)]
        for chunk in range(0, len(cuts), 128):
            part = cuts[chunk : chunk + 128]
            ids = np.array([i for i, _ in part])
            windows = [self._cut(0, i, start) for i, start in part]
            frames = torch.from_numpy(np.stack([frames for frames, _ in windows]).astype(np.float32))
            speech = torch.from_numpy(np.stack([speech for _, speech in windows]))
            centres, known = self._centres(rng, ids, np.zeros_like(ids), np.full(len(ids), seconds == 0), everyone, seconds)
            features = self._front_end.network_input(frames, speech)
            yield ids, Batch(features, speech, centres, known, torch.from_numpy(self.emotion[ids]))

    def _windows_of(self, number: int, ids: Indices) -> Batch:
        windows = [self._cut(number, i, int(self._copies[number].offsets[i])) for i in ids]
        frames = torch.from_numpy(np.stack([frames for frames, _ in windows]).astype(np.float32))
        speech = torch.from_numpy(np.stack([speech for _, speech in windows]))
        nothing = torch.zeros(len(ids))
        return Batch(self._front_end.network_input(frames, speech), speech, nothing, nothing, nothing)

    def _cut(
        self, number: int, i: int, start: int, length: int = WINDOW_FRAMES
    ) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        """Frames from `start` on, at most to the clip's end, at the beginning of a window."""
        copy = self._copies[number]
        end = min(start + length, int(copy.offsets[i + 1]))
        frames = np.tile(_MASKED, (WINDOW_FRAMES, 1))
        speech = np.zeros(WINDOW_FRAMES, np.float32)
        frames[: end - start] = copy.frames[start:end]
        speech[: end - start] = copy.speech[start:end]
        return frames, speech

    def _training_window(self, rng: np.random.Generator, i: int, k: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        copy = self._copies[k]
        begin, end = int(copy.offsets[i]), int(copy.offsets[i + 1])
        start = begin + int(rng.integers(0, max(1, end - begin - WINDOW_FRAMES + 1)))
        frames, speech = self._cut(k, i, start)
        free = WINDOW_FRAMES - (end - start)
        if free > 0:
            if free > 60 and rng.random() < 0.5:
                same = self._of_voice[self._voice[i]]
                j = int(rng.choice(same[self.emotion[same] == self.emotion[i]]))
                more, more_speech = self._cut(k, j, int(copy.offsets[j]))
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

    def _centres(
        self,
        rng: np.random.Generator,
        ids: Indices,
        numbers: Indices,
        stranger: NDArray[np.bool_],
        everyone: NDArray[np.float32],
        seconds: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Per example the mean to subtract and how well the voice is known; `seconds` of speech, at random if None."""
        centres, known = np.tile(everyone, (len(ids), 1)), np.zeros(len(ids), np.float32)
        for row in np.flatnonzero(~stranger):
            total, count = self._voices.total[numbers[row]], self._voices.count[numbers[row]]
            others = self._of_voice[self._voice[ids[row]]]
            others = others[others != ids[row]]
            if seconds is None and rng.random() < 0.3:  # somebody who has only talked plainly so far
                neutral = others[self.emotion[others] == NEUTRAL]
                others = neutral if len(neutral) else others
            wanted = FRAMES_PER_SECOND * (float(np.exp(rng.uniform(np.log(6.0), np.log(90.0)))) if seconds is None else seconds)
            order = rng.permutation(others)
            heard = np.cumsum(count[order].max(1))
            chosen = order[: int(np.searchsorted(heard, wanted)) + 1]
            centres[row], known[row] = centre(total[chosen].sum(0), count[chosen].sum(0), everyone)
        return torch.from_numpy(centres), torch.from_numpy(known)


def _vary(frames: Tensor, speech: Tensor, stranger: Tensor, generator: torch.Generator) -> Tensor:
    """Another microphone and pitch for strangers (a known voice's mean would not follow), and noise for some."""
    size = len(frames)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    orders = torch.arange(1, 6, dtype=torch.float32)
    waves = torch.cos(torch.pi * orders[:, None] * (torch.arange(N_MELS) + 0.5) / N_MELS)
    curve = (normal(size, 5) * 0.7 / orders.sqrt() * stranger[:, None]) @ waves
    mel = frames[..., :N_MELS] + curve[:, None]
    shift = torch.rand(size, generator=generator).sub(0.5).mul(0.3) * stranger
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
