"""Whose voice is it? Whether what is heard fits a voice that is known, by a part of the vector that tells emotions.

Linear discriminants of the training voices, each in all its emotions, on the means of the speech encoder's stem. Along them
one voice's windows scatter with variance 1 around its place, and the places of voices with `spread` around everybody's: the
two-covariance model of speaker recognition (S. Ioffe, Probabilistic Linear Discriminant Analysis, ECCV 2006).
"""

from typing import Final

import torch
from torch import Tensor, nn

from models.emotion.speech_encoder import WIDTH

N_TOLD: Final = WIDTH
"""How much of an embedding, from its beginning, is looked at: more tells voices apart no better."""
N_DIRECTIONS: Final = 40
FARTHEST: Final = 5.0  # standard deviations
_MOST_WINDOWS: Final = 8.0  # that count as heard one without the other: sentences of one sitting are alike


class VoiceIdentity(nn.Module):
    """`mean` and `std` (N_TOLD,) standardise a vector, `directions` (N_TOLD, N_DIRECTIONS) turn what is left, `spread`
    (N_DIRECTIONS,) is the variance of voices' places, 0 where a direction tells nothing."""

    mean: Tensor
    std: Tensor
    directions: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_TOLD))
        self.register_buffer("std", torch.ones(N_TOLD))
        self.register_buffer("directions", torch.zeros(N_TOLD, N_DIRECTIONS))
        self.register_buffer("spread", torch.zeros(N_DIRECTIONS))

    def place(self, vectors: Tensor) -> Tensor:
        """Embeddings (..., at least N_TOLD) → where they lie among voices (..., N_DIRECTIONS); everybody's mean lies at 0."""
        standardised = ((vectors[..., :N_TOLD] - self.mean) / self.std).clamp(-FARTHEST, FARTHEST)
        return standardised @ self.directions

    def log_ratio(self, vector: Tensor, voice: Tensor, windows: float) -> float:
        """How much more likely a window's embedding is from the voice whose mean over so many windows is `voice` than
        from anybody: the natural logarithm of that ratio."""
        n = min(windows, _MOST_WINDOWS)
        unsure = 1.0 / (1.0 / self.spread + n)  # variance of the voice's place, as far as its windows tell it
        expected = unsure * n * self.place(voice)
        x = self.place(vector)
        hers = (x - expected).square() / (1.0 + unsure) + (1.0 + unsure).log()
        anyones = x.square() / (1.0 + self.spread) + (1.0 + self.spread).log()
        return float(0.5 * (anyones - hers).sum())
