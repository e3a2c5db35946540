"""Learns a `VoiceProfile` from recordings of one performer: plain talk, or sentences whose emotion is known.

The mean is that of all speech, each known emotion weighing alike, less the shift that each usually makes. The correction is
logistic regression on the network's hidden layer for the labelled sentences, with the network's own logits as the offset and a
penalty on the weights, so that without evidence nothing is corrected (maximum a posteriori adaptation). The penalty was chosen
by the log loss on held-out speakers (docs/emotion.md).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.emotion.classifier import EmotionClassifier, Window
from models.emotion.embedding import N_EMBEDDING
from models.emotion.voice_mean import FRAMES_PER_SECOND
from models.emotion.voice_profile import VoiceProfile, no_correction
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL

Floats = NDArray[np.float32]

LEAST_SECONDS: Final = 5.0  # of speech in a whole profile
_LEAST_SPEECH: Final = 50  # frames (0.5 s) from which a window is an example
_LEAST_EMOTIONS: Final = 2  # fewer say nothing about how they differ
_PENALTY: Final = 1e-2  # on the squared weights, beside one unit of log loss per sentence


class Recording(NamedTuple):
    """Sound (n,) at 16 kHz, full scale 1, and its emotion's number; None for plain talk."""

    samples: Floats
    emotion: int | None


def enrol(classifier: EmotionClassifier, recordings: Sequence[Recording]) -> VoiceProfile:
    """A profile for this classifier, which forgets its own and what it heard before. Raises UserError with too little speech."""
    classifier.adopt()
    heard = [list(_windows(classifier, recording.samples)) for recording in recordings]
    total, count = _voice(heard, [recording.emotion for recording in recordings], classifier.shifts)
    seconds = count / FRAMES_PER_SECOND
    if seconds < LEAST_SECONDS:
        raise UserError(
            f"only {seconds:.1f} s of speech were heard, a profile needs {LEAST_SECONDS:.0f}; speak longer, or nearer"
        )
    numbers = {name: sum(recording.emotion == i for recording in recordings) for i, name in enumerate(EMOTIONS)}
    plain = VoiceProfile(classifier.identity, total, count, *no_correction(), sentences=numbers, seconds=round(seconds, 2))
    examples = []
    for windows, recording in zip(heard, recordings, strict=True):
        telling = [window for window in windows if window.n_speech >= _LEAST_SPEECH]
        if recording.emotion is not None and telling:
            examples.append((telling, recording.emotion))
    if len({emotion for _, emotion in examples}) < _LEAST_EMOTIONS:
        return plain
    classifier.adopt(plain)
    offset, weight, bias = _fit(classifier, examples)
    classifier.adopt()
    return VoiceProfile(classifier.identity, total, count, offset, weight, bias, plain.sentences, plain.seconds)


def _windows(classifier: EmotionClassifier, samples: Floats) -> Iterator[Window]:
    """What the network sees of one recording, hop by hop."""
    classifier.reset()
    padded = np.pad(samples, (0, -len(samples) % classifier.HOP))
    for start in range(0, len(padded), classifier.HOP):
        classifier.step(padded[start : start + classifier.HOP])
        if classifier.window is not None:
            yield classifier.window


def _voice(heard: Sequence[Sequence[Window]], emotions: Sequence[int | None], shifts: Floats) -> tuple[Floats, float]:
    """Sum (N_EMBEDDING,) and count of frames of the voice, every frame of speech once, less what the emotion adds.

    Each emotion weighs alike in the mean; plain talk counts as neutral."""
    means, count = [], 0.0
    for emotion in set(emotions):
        windows = [w for own, label in zip(heard, emotions, strict=True) if label == emotion for w in own if w.n_new]
        if windows:
            frames = np.array([w.n_new for w in windows], np.float32)
            own = np.average(np.stack([w.embedding for w in windows]), axis=0, weights=frames)
            means.append(own - shifts[NEUTRAL if emotion is None else emotion])
            count += float(frames.sum())
    mean = np.mean(means, axis=0) if means else np.zeros(N_EMBEDDING)
    return (mean * count).astype(np.float32), count


def _fit(classifier: EmotionClassifier, examples: Sequence[tuple[Sequence[Window], int]]) -> tuple[Floats, Floats, Floats]:
    """Offset, weight and bias of the correction; a convex problem, solved to its end."""
    judged = [classifier.judged(window) for windows, _ in examples for window in windows]
    x, logits = (np.concatenate(parts) for parts in zip(*judged, strict=True))
    n_rows = [2 * len(windows) for windows, _ in examples]  # all speech of a window, and the newest
    emotion = torch.from_numpy(np.repeat([emotion for _, emotion in examples], n_rows))
    share = np.repeat([1.0 / n for n in n_rows], n_rows).astype(np.float32)
    offset = np.average(x, axis=0, weights=share)
    deviation = np.sqrt(np.average((x - offset) ** 2, axis=0, weights=share))
    scale = np.maximum(deviation, 1e-3) * np.sqrt(x.shape[1])  # a typical window has length 1
    z = torch.from_numpy(((x - offset) / scale).astype(np.float32))
    weight = torch.zeros(z.shape[1], len(EMOTIONS), requires_grad=True)
    bias = torch.zeros(len(EMOTIONS), requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        each = torch.nn.functional.cross_entropy(torch.from_numpy(logits) + z @ weight + bias, emotion, reduction="none")
        whole = (torch.from_numpy(share) * each).sum() + _PENALTY * weight.square().sum() + bias.square().sum()
        whole.backward()  # type: ignore[no-untyped-call]
        return whole

    solver.step(loss)  # type: ignore[no-untyped-call]
    unscaled = weight.detach().numpy() / scale[:, None]
    return offset.astype(np.float32), unscaled.T.astype(np.float32), bias.detach().numpy()
