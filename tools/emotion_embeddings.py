"""What `train_emotion` learns from: the vectors of windows, computed once, and batches of them as strangers and known voices."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.emotion.embedding import N_EMBEDDING, WindowEmbedding, newest
from models.emotion.voice_identity import VoiceIdentity
from models.emotion.voice_mean import FRAMES_PER_SECOND, centre
from models.labels import EMOTIONS
from tools.emotion_corpus import Clip
from tools.emotion_examples import Indices, Windows, voice_numbers
from tools.emotion_voices import fit_identity

SONG_WEIGHT: Final = 0.4  # of a corpus of singing beside one of speech
STRANGER_SHARE: Final = 0.5  # of examples without a voice mean
AS_RECORDED_SHARE: Final = 0.4  # of examples that were not recorded anew under made-up conditions
_LEAST_WINDOWS, _LEAST_EMOTIONS = 3, 4  # of a voice in one room, to tell what its emotions change
NEWEST_SHARE: Final = 0.4  # of examples that are a window's newest speech only
_VOTES_SHARE: Final = 0.5  # of a label that is what listeners heard; the rest is what was intended


class Embedded(NamedTuple):
    """Windows as vectors: numbers of their clips (N,), frames of speech (N,), vectors of all speech and of the newest, each
    (N, N_EMBEDDING) float16."""

    clips: Indices
    speech: NDArray[np.float32]
    vectors: NDArray[np.float16]
    newest: NDArray[np.float16]

    def after(self, n_clips: int) -> "Embedded":
        """The same with `n_clips` other clips numbered before them."""
        return self._replace(clips=self.clips + n_clips)


_NO_VECTORS: Final = np.zeros((0, N_EMBEDDING), np.float16)
NOTHING: Final = Embedded(np.zeros(0, np.int64), np.zeros(0, np.float32), _NO_VECTORS, _NO_VECTORS)


def _label(clip: Clip) -> NDArray[np.float32]:
    """Probabilities of the five: what was intended, and by half what listeners heard where they were asked."""
    label = np.eye(len(EMOTIONS), dtype=np.float32)[clip.emotion]
    if clip.votes is not None:
        label += _VOTES_SHARE * (np.array(clip.votes, np.float32) / sum(clip.votes) - label)
    return np.asarray(label)


def joined(parts: Sequence[Embedded]) -> Embedded:
    """One after the other."""
    return Embedded(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@torch.no_grad()
def embed(embedding: WindowEmbedding, windows: Iterator[Windows]) -> Embedded:
    """All of them, and no vectors of no windows."""
    parts = [NOTHING]
    for window in windows:
        vectors = embedding(window.frames, window.speech).over(torch.stack([window.speech, newest(window.speech)], dim=1)).half()
        parts.append(Embedded(window.clips, window.speech.sum(1).numpy(), vectors[:, 0].numpy(), vectors[:, 1].numpy()))
    return joined(parts)


class Batch(NamedTuple):
    """Network input and labels: embedding (B, N_EMBEDDING), centre (B, N_EMBEDDING), known (B,), probabilities of the emotions
    (B, 5), and intensity (B,): 1 strong, 0 normal, -1 where nobody said."""

    embedding: Tensor
    centre: Tensor
    known: Tensor
    probabilities: Tensor
    intensity: Tensor


class Examples:
    """Draws training batches, and goes through test clips."""

    def __init__(self, clips: list[Clip], training: list[Embedded], test: Embedded) -> None:
        """`training`: one `Embedded` for each copy of the clips, the first as recorded."""
        self.emotion = np.array([clip.emotion for clip in clips])
        self.probabilities = torch.from_numpy(np.stack([_label(clip) for clip in clips]))
        self.corpus = np.array([clip.corpus for clip in clips])
        self.intensity = np.array([clip.intensity for clip in clips], np.float32)
        self._clip = np.concatenate([part.clips for part in training])
        self._speech = np.concatenate([part.speech for part in training])
        self._vectors = torch.from_numpy(np.concatenate([part.vectors for part in training]))
        self._newest = torch.from_numpy(np.concatenate([part.newest for part in training]))
        self._test = test
        voices = voice_numbers(clips)
        copies = np.repeat(np.arange(len(training)), [len(part.clips) for part in training])
        self._as_recorded = copies == 0
        # A voice in one room: only its windows there say what it sounds like there.
        self._voice = np.unique(np.stack([copies, voices[self._clip]]), axis=1, return_inverse=True)[1].ravel()
        order = np.argsort(self._voice, kind="stable")
        self._of_voice = np.split(order, np.cumsum(np.bincount(self._voice))[:-1])
        self._test_voice = voices[test.clips]

    def any_of(self, among: Indices) -> bool:
        """Whether there is anything to learn from the clips `among`."""
        return bool(np.isin(self._clip, among).any())

    def statistics(self, among: Indices) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the vectors (N_EMBEDDING,) over the clips `among`, corpora and emotions alike."""
        rows, weight = self._weights(among)
        vectors, w = self._vectors[rows].float(), torch.from_numpy(weight).float()
        mean = w @ vectors
        return mean, (w @ (vectors - mean).square()).sqrt().clamp(min=1e-3)

    def shifts(self, among: Indices) -> Tensor:
        """How far each emotion moves a voice's vectors away from its mean over the emotions, (5, N_EMBEDDING): the mean over the
        voices of the clips `among` that have enough of them."""
        moved: list[list[Tensor]] = [[] for _ in EMOTIONS]
        for rows in self._of_voice:
            rows = rows[np.isin(self._clip[rows], among)]
            labels = self.emotion[self._clip[rows]]
            own = {e: self._vectors[rows[labels == e]].float() for e in range(len(EMOTIONS))}
            means = {e: vectors.mean(0) for e, vectors in own.items() if len(vectors) >= _LEAST_WINDOWS}
            if len(means) >= _LEAST_EMOTIONS:
                centre_of = torch.stack(list(means.values())).mean(0)
                for e, mean in means.items():
                    moved[e].append(mean - centre_of)
        none = torch.zeros(self._vectors.shape[1])
        return torch.stack([torch.stack(own).mean(0) if own else none for own in moved])

    def identity(self, among: Indices) -> VoiceIdentity:
        """What tells the voices of the clips `among` apart, as recorded."""
        rows = np.flatnonzero(np.isin(self._clip, among) & self._as_recorded)
        return fit_identity(self._vectors[rows].float().numpy(), self._voice[rows])

    def batches(self, among: Indices, everyone: NDArray[np.float32], size: int, seed: int) -> Iterator[Batch]:
        """Training batches without end: corpora alike, emotions alike, strangers and known voices mixed."""
        rng = np.random.default_rng(seed)
        rows, weight = self._weights(among)
        cumulated = np.cumsum(weight)
        while True:
            chosen = rows[np.searchsorted(cumulated, rng.random(size) * cumulated[-1])]
            centres, known = np.tile(everyone, (size, 1)), np.zeros(size, np.float32)
            for place in np.flatnonzero(rng.random(size) >= STRANGER_SHARE):
                others = rng.choice(self._of_voice[self._voice[chosen[place]]], int(np.exp(rng.uniform(np.log(3), np.log(40)))))
                others = others[self._clip[others] != self._clip[chosen[place]]]
                centres[place], known[place] = self._centre(self._vectors[others], self._speech[others], everyone)
            clips = self._clip[chosen]
            of_newest = torch.from_numpy(rng.random(size) < NEWEST_SHARE)[:, None]
            yield Batch(
                torch.where(of_newest, self._newest[chosen], self._vectors[chosen]).float(),
                torch.from_numpy(centres),
                torch.from_numpy(known),
                self.probabilities[clips],
                torch.from_numpy(self.intensity[clips]),
            )

    def test_batch(self, among: Indices, everyone: NDArray[np.float32], seconds: float) -> tuple[Indices, Batch]:
        """The windows of the clips `among` as recorded, with the clips' numbers.

        `seconds` of the voice's other clips make its mean; 0 = stranger."""
        rng = np.random.default_rng(0)
        rows = np.flatnonzero(np.isin(self._test.clips, among))
        centres, known = np.tile(everyone, (len(rows), 1)), np.zeros(len(rows), np.float32)
        if seconds > 0:
            for place, row in enumerate(rows):
                others = np.flatnonzero((self._test_voice == self._test_voice[row]) & (self._test.clips != self._test.clips[row]))
                others = rng.permutation(others)
                enough = int(np.searchsorted(np.cumsum(self._test.speech[others]), seconds * FRAMES_PER_SECOND)) + 1
                others = others[:enough]
                vectors = torch.from_numpy(self._test.vectors[others])
                centres[place], known[place] = self._centre(vectors, self._test.speech[others], everyone)
        clips = self._test.clips[rows]
        batch = Batch(
            torch.from_numpy(self._test.vectors[rows]).float(),
            torch.from_numpy(centres),
            torch.from_numpy(known),
            self.probabilities[clips],
            torch.from_numpy(self.intensity[clips]),
        )
        return clips, batch

    def _weights(self, among: Indices) -> tuple[Indices, NDArray[np.float64]]:
        """Training rows of the clips `among`, and how often each is drawn: corpora alike, emotions within a corpus alike, and as
        recorded in a fixed share."""
        rows = np.flatnonzero(np.isin(self._clip, among))
        clips = self._clip[rows]
        weight = np.zeros(len(rows))
        for corpus in np.unique(self.corpus[clips]):
            cells = [(self.corpus[clips] == corpus) & (self.emotion[clips] == e) for e in range(len(EMOTIONS))]
            cells = [cell for cell in cells if cell.any()]
            for cell in cells:
                weight[cell] = (SONG_WEIGHT if corpus.endswith("song") else 1.0) / len(cells) / cell.sum()
        as_recorded = self._as_recorded[rows]
        for those, share in ((as_recorded, AS_RECORDED_SHARE), (~as_recorded, 1.0 - AS_RECORDED_SHARE)):
            weight[those] *= share / max(weight[those].sum(), 1e-9)
        return rows, weight / weight.sum()

    @staticmethod
    def _centre(vectors: Tensor, speech: NDArray[np.float32], everyone: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        total = torch.from_numpy(speech) @ vectors.float()
        return centre(total.numpy(), float(speech.sum()), everyone)
