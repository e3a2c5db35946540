"""The classifier's trained part: from a window's vector, minus that of the voice, to five emotions, excitement and intensity."""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from models.emotion.embedding import N_EMBEDDING
from models.labels import EMOTIONS

N_HIDDEN: Final = 252  # with encoder and vocal bursts just below three million parameters
_FARTHEST: Final = 5.0  # standard deviations
_OUTPUT: Final = 3  # where in the layers the output begins


class Verdict(NamedTuple):
    """Logits: `emotion` (batch, 5) in the order of EMOTIONS; `arousal` (batch,): above zero means excited; `intensity` (batch,):
    above zero means strongly expressed."""

    emotion: Tensor
    arousal: Tensor
    intensity: Tensor


class EmotionNetwork(nn.Module):
    """Embeddings -> `Verdict`. `mean` and `std` (N_EMBEDDING,) come from the training data, every corpus counting alike; `shifts`
    (5, N_EMBEDDING) are how far each emotion moves a voice's vectors away from its mean over all five, in the mean of voices;
    where the encoder learnt from these voices, only as much of it as holds for others (`tools/train_emotion.py`)."""

    mean: Tensor
    std: Tensor
    shifts: Tensor

    def __init__(self, units: int = N_HIDDEN, dropout: float = 0.3) -> None:
        """`units`: of the hidden layer."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_EMBEDDING))
        self.register_buffer("std", torch.ones(N_EMBEDDING))
        self.register_buffer("shifts", torch.zeros(len(EMOTIONS), N_EMBEDDING))
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(N_EMBEDDING + 1, units), nn.SiLU(),
            nn.Dropout(dropout), nn.Linear(units, len(EMOTIONS) + 2),
        )  # fmt: skip

    def forward(self, embedding: Tensor, centre: Tensor, known: Tensor) -> Verdict:
        """Embedding and centre (batch, N_EMBEDDING), the centre being the voice's mean or `mean`; known (batch,): 0 stranger .. 1
        voice well known."""
        return self.verdict(self.hidden(embedding, centre, known))

    def hidden(self, embedding: Tensor, centre: Tensor, known: Tensor) -> Tensor:
        """What the verdict is made of (batch, N_HIDDEN)."""
        standardised = ((embedding - centre) / self.std).clamp(-_FARTHEST, _FARTHEST)
        values: Tensor = self.layers[:_OUTPUT](torch.cat([standardised, known.unsqueeze(-1)], dim=-1))
        return values

    def verdict(self, hidden: Tensor) -> Verdict:
        """From `hidden`."""
        out = self.layers[_OUTPUT:](hidden)
        return Verdict(out[..., : len(EMOTIONS)], out[..., -2], out[..., -1])
