"""What the network of the classifier pays for while it is trained."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.emotion.hearing import EXCITED
from models.emotion.network import Verdict

_AROUSAL_WEIGHT: Final = 0.4
_INTENSITY_WEIGHT: Final = 0.4
_LABEL_SMOOTHING: Final = 0.1
STEEPEST: Final = 2.0  # length of all gradients together, in a step down it


def emotion_loss(verdict: Verdict, probabilities: Tensor, intensity: Tensor) -> Tensor:
    """Of a batch with labels: probabilities of the emotions (B, 5); intensity (B,): 1 strong, 0 normal, -1 where nobody said."""
    loss = functional.cross_entropy(verdict.emotion, probabilities, label_smoothing=_LABEL_SMOOTHING)
    excited = probabilities @ torch.tensor(EXCITED)
    loss = loss + _AROUSAL_WEIGHT * functional.binary_cross_entropy_with_logits(verdict.arousal, excited)
    said = intensity >= 0
    if bool(said.any()):
        strong = functional.binary_cross_entropy_with_logits(verdict.intensity[said], intensity[said])
        loss = loss + _INTENSITY_WEIGHT * said.float().mean() * strong
    return loss
