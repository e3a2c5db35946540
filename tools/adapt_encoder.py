"""Trains the speech encoder on, together with the network that listens through it: the second half of `train_emotion`.

Batches hold several voices with several windows each, in the same (made-up) room: so the mean of a voice comes from the same
batch and from the encoder as it is now. Half of the windows have it subtracted, the others are a stranger's. The stem keeps what
it heard in many thousand voices; only the layer above it learns.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.descent import cosine_pace, descend, share_kept
from models.emotion.embedding import WindowEmbedding, newest
from models.emotion.front_end import FrontEnd
from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.voice_mean import FRAMES_PER_SECOND, PRIOR_SECONDS
from models.precision import fast_autocast
from tools.emotion_corpus import Clip, Copy
from tools.emotion_embeddings import AS_RECORDED_SHARE, NEWEST_SHARE, SONG_WEIGHT, STRANGER_SHARE
from tools.emotion_examples import Indices, WindowCutter, varied, voice_numbers
from tools.emotion_loss import STEEPEST, emotion_loss

VOICES: Final = 16  # in a batch
WINDOWS: Final = 8  # of each
_ENCODER_RATE: Final = 2e-4
_NETWORK_RATE: Final = 3e-4
_WARM_UP: Final = 50  # steps
_AVERAGE: Final = 0.99  # of the weights, per step
_ROUND: Final = 1_600  # steps of the encoder that a batch is filled up to: a twelfth of all it has


class Recorded(NamedTuple):
    """Clips of one folder in all their copies; the first of them has number `first` among all clips."""

    first: int
    clips: list[Clip]
    copies: list[Copy]


class VoiceBatch(NamedTuple):
    """VOICES times WINDOWS windows, voice by voice: numbers of their clips (B,), features (B, T, N_FRAME_FEATURES) and speech
    (B, T)."""

    clips: Indices
    frames: Tensor
    speech: Tensor


class _Corpus(NamedTuple):
    """What is drawn from one: cutters of the copies, and of each voice the emotions' clips, numbered within the folder."""

    first: int
    weight: float
    cutters: list[WindowCutter]
    voices: list[list[Indices]]


class VoiceBatches:
    """Draws batches without end: corpora alike, their voices alike, a voice's emotions alike."""

    def __init__(self, recorded: Sequence[Recorded], among: Indices, seed: int) -> None:
        """Only the clips `among` (numbers among all clips)."""
        self._rng, self._generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self._corpora: list[_Corpus] = []
        for first, clips, copies in recorded:
            cutters = [WindowCutter(clips, copy) for copy in copies]
            own = np.intersect1d(np.arange(len(clips)), among - first)
            for cutter in cutters:
                own = np.intersect1d(own, cutter.usable)
            corpus, voice = np.array([clip.corpus for clip in clips]), voice_numbers(clips)
            emotion = np.array([clip.emotion for clip in clips])
            for name in np.unique(corpus[own]):
                here = own[corpus[own] == name]
                voices = [
                    [these[emotion[these] == e] for e in np.unique(emotion[these])]
                    for these in (here[voice[here] == v] for v in np.unique(voice[here]))
                ]
                self._corpora.append(_Corpus(first, SONG_WEIGHT if name.endswith("song") else 1.0, cutters, voices))

    def __iter__(self) -> Iterator[VoiceBatch]:
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._draw)
            while True:
                batch, coming = coming.result(), ahead.submit(self._draw)
                yield batch

    def _draw(self) -> VoiceBatch:
        rng = self._rng
        weight = np.array([corpus.weight for corpus in self._corpora])
        numbers, frames, speech = [], [], []
        for _ in range(VOICES):
            corpus = self._corpora[rng.choice(len(weight), p=weight / weight.sum())]
            others = len(corpus.cutters) - 1
            room = 0 if others == 0 or rng.random() < AS_RECORDED_SHARE else 1 + int(rng.integers(others))
            voice = corpus.voices[rng.integers(len(corpus.voices))]
            for _ in range(WINDOWS):
                clip = int(rng.choice(voice[rng.integers(len(voice))]))
                window = corpus.cutters[room].training_window(rng, clip)
                numbers.append(corpus.first + clip)
                frames.append(window[0])
                speech.append(window[1])
        mask = torch.from_numpy(np.stack(speech))
        features = torch.from_numpy(np.stack(frames).astype(np.float32))
        return VoiceBatch(np.array(numbers), varied(features, mask, self._generator), mask)


def adapt(
    network: EmotionNetwork,
    batches: VoiceBatches,
    probabilities: Tensor,
    intensity: Tensor,
    n_steps: int,
    seed: int,
    tell: Callable[[int, int], None],
) -> tuple[EmotionNetwork, SpeechEncoder]:
    """The network trained on, with an encoder that starts from the published one; averages over the last steps.

    `probabilities` (clips, 5) and `intensity` (clips,), -1 where nobody said, are the labels of all clips."""
    torch.manual_seed(seed)
    encoder = SpeechEncoder.published().requires_grad_(True)
    for stem in (encoder.first, encoder.second):
        stem.requires_grad_(False)
    embedding = WindowEmbedding(FrontEnd(), _Fast(encoder))
    both = nn.ModuleDict({"encoder": encoder, "network": network})
    average = copy.deepcopy(both)
    of_encoder = [array for array in encoder.parameters() if array.requires_grad]
    rates = (_ENCODER_RATE, _NETWORK_RATE)
    optimizer = torch.optim.AdamW(
        [{"params": of_encoder, "weight_decay": 0.0}, {"params": network.parameters(), "weight_decay": 0.05}], lr=_NETWORK_RATE
    )
    both.train()
    for step, batch in enumerate(batches):
        if step == n_steps:
            break
        pace = min(1.0, (1 + step) / _WARM_UP) * cosine_pace(step / n_steps)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * pace
        encoded = embedding(batch.frames, batch.speech)
        vectors = encoded.over(torch.stack([batch.speech, newest(batch.speech)], dim=1))
        centres, known = _met(network, vectors[:, 0].detach(), batch)
        of_newest = torch.rand(len(vectors), 1) < NEWEST_SHARE
        verdict = network(torch.where(of_newest, vectors[:, 1], vectors[:, 0]), centres, known)
        clips = torch.from_numpy(batch.clips)
        loss = emotion_loss(verdict, probabilities[clips], intensity[clips])
        descend(loss, both, optimizer, average, share_kept(step, _AVERAGE), STEEPEST)
        tell(step + 1, n_steps)
    both.load_state_dict(average.state_dict())
    both.eval().requires_grad_(False)
    return network, encoder


class _Fast(nn.Module):
    """The encoder with products in this machine's fast precision, its weights staying as exact as they are.

    It says more steps than are wanted, so that batches come in a few sizes only: the library of the products keeps what it
    prepared for each of a thousand sizes, 13 GB of it.
    """

    def __init__(self, encoder: SpeechEncoder) -> None:
        super().__init__()
        self._encoder = encoder

    def forward(self, log_mel: Tensor, wanted: Tensor) -> tuple[Tensor, ...]:
        spare = (~wanted).flatten().nonzero().squeeze(1)
        said = wanted.flatten().clone()
        said[spare[: -int(wanted.sum()) % _ROUND]] = True
        with fast_autocast():
            depths: tuple[Tensor, ...] = self._encoder(log_mel, said.view_as(wanted))
        return depths


def _met(network: EmotionNetwork, vectors: Tensor, batch: VoiceBatch) -> tuple[Tensor, Tensor]:
    """How each window is met: what to subtract (B, N_EMBEDDING), and how well its voice is known (B,): half as strangers, half
    by other clips of the same voice in this batch, some or all of them. As `voice_mean.centre` does it."""
    own = vectors.view(VOICES, WINDOWS, -1)
    clips = torch.from_numpy(batch.clips).view(VOICES, WINDOWS)
    heard = (clips[:, :, None] != clips[:, None, :]).float() * batch.speech.sum(1).view(VOICES, 1, WINDOWS)
    heard = heard * (torch.rand(VOICES, WINDOWS, WINDOWS) < torch.rand(VOICES, WINDOWS, 1))
    count, prior = heard.sum(-1, keepdim=True), PRIOR_SECONDS * FRAMES_PER_SECOND
    known = count / (count + prior) * (torch.rand(VOICES, WINDOWS, 1) >= STRANGER_SHARE)
    centres = network.mean + known * (heard @ own / count.clamp(min=1.0) - network.mean)
    return centres.flatten(0, 1), known.flatten()
