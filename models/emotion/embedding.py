"""What a window of sound is to the classifier: vectors, the same for any gain, of all its speech and of the newest.

Means and deviations over speech: of the speech encoder's three depths, and of MFCC, pitch and voice quality, those also over
voiced speech and of their changes (in the spirit of eGeMAPS, F. Eyben et al., IEEE Transactions on Affective Computing 7, 2016).
A voice is known by the mean of its own vectors (`voice_mean.py`).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

from models.emotion import speech_encoder
from models.emotion.front_end import N_FEATURES, VOICED, FrontEnd

N_ENCODED: Final = 3 * 2 * speech_encoder.WIDTH
N_EMBEDDING: Final = N_ENCODED + 6 * N_FEATURES + 1
NEWEST: Final = 120
"""Frames of speech (1.2 s) that say most of the present: verdicts hardly gain from more, and an older emotion is soon out."""
_WINDOW_FRAMES: Final = 300  # what the encoder always sees; what is not there is silence before
_EPSILON: Final = 1e-4
_LEAST_VARIANCE: Final = 1e-6  # of a depth: a root has no slope at zero


Encoder = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""As `SpeechEncoder` is called."""


class Encoded(NamedTuple):
    """A window before time is averaged away: the encoder's depths, each (batch, 150, WIDTH), and `FrontEnd.network_input`'s
    features (batch, T, N_FEATURES)."""

    depths: tuple[Tensor, ...]
    features: Tensor

    def over(self, frames: Tensor) -> Tensor:
        """Statistics over the frames where a mask is 1, all of them speech: masks (batch, K, T) -> (batch, K, N_EMBEDDING)."""
        heard = _steps(frames)
        parts = [part for depth in self.depths for part in masked_statistics(depth, heard)]
        return torch.cat([*parts, functionals(self.features, frames)], dim=-1)


class WindowEmbedding:
    """Frames of a window -> its vectors."""

    def __init__(self, front_end: FrontEnd, encoder: Encoder) -> None:
        self._front_end, self._encoder = front_end, encoder

    def __call__(self, frames: Tensor, speech: Tensor) -> Encoded:
        """Frame features (batch, T, N_FRAME_FEATURES) and mask (batch, T) of 0 and 1, T at most `_WINDOW_FRAMES`.

        What is outside of the mask has no influence; no speech at all gives finite numbers."""
        missing = _WINDOW_FRAMES - frames.shape[1]
        relative = self._front_end.relative(frames, speech)
        log_mel = self._front_end.encoder_input(speech, relative)
        log_mel = torch.nn.functional.pad(log_mel, (0, 0, missing, 0), value=self._front_end.encoder_floor)
        depths = self._encoder(log_mel, _steps(speech) > 0)
        return Encoded(depths, self._front_end.network_input(frames, speech, relative))


def newest(speech: Tensor) -> Tensor:
    """Of a mask (batch, T) the last NEWEST frames of speech."""
    return speech * (speech.flip(-1).cumsum(-1).flip(-1) <= NEWEST)


def _steps(frames: Tensor) -> Tensor:
    """Masks of frames (..., T) as those of the encoder's steps of two frames (..., 150)."""
    padded = torch.nn.functional.pad(frames, (_WINDOW_FRAMES - frames.shape[-1], 0))
    return padded.view(*padded.shape[:-1], -1, 2).amax(-1)


def masked_statistics(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time of x (batch, T, C) where each weight (batch, K, T) is 1, each (batch, K, C); zeros
    where it nowhere is."""
    share = _share(weight)
    centre = share[:, :1] @ x  # squares of what is left lose no digits
    moved = x - centre
    mean = share @ moved
    deviation = (share @ moved.square() - mean.square()).clamp(min=_LEAST_VARIANCE).sqrt()
    anything = share.any(-1, keepdim=True)
    return (mean + centre) * anything, deviation * anything


def functionals(x: Tensor, speech: Tensor) -> Tensor:
    """Features (batch, T, N_FEATURES) of `FrontEnd.network_input`, masks (batch, K, T) -> (batch, K, 6 * N_FEATURES + 1): mean
    and deviation over speech and over voiced speech, deviation of the change over 20 and over 100 ms; share of voiced speech."""
    voice = speech * x[:, None, :, VOICED]
    share = _share(torch.cat([speech, voice], dim=1))
    mean = share @ x
    deviation = (share @ (x * x) - mean * mean).clamp(min=0.0).add(_EPSILON).sqrt()
    parts = [*mean.chunk(2, dim=1), *deviation.chunk(2, dim=1)]
    for step in (2, 10):
        both = _share(voice[..., step:] * voice[..., :-step])
        change = x[:, step:] - x[:, :-step]
        parts.append((both @ (change * change)).add(_EPSILON).sqrt())
    voiced = voice.sum(-1, keepdim=True) / speech.sum(-1, keepdim=True).clamp(min=1.0)
    return torch.cat([*parts, voiced], dim=-1)


def _share(weight: Tensor) -> Tensor:
    """Masks whose sum is 1, or all zeros."""
    return weight / weight.sum(-1, keepdim=True).clamp(min=1.0)
