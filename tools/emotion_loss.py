"""What the network of the classifier pays for while it is trained, and one step towards paying less."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.emotion.hearing import EXCITED
from models.emotion.network import Verdict

_AROUSAL_WEIGHT: Final = 0.4
_INTENSITY_WEIGHT: Final = 0.4
_LABEL_SMOOTHING: Final = 0.1
_STEEPEST: Final = 2.0  # length of all gradients together


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


def descend(loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module, keep: float) -> None:
    """One step of `module` down the loss; `average`, a module like it, keeps that share of itself and takes the rest from it."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), _STEEPEST)
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1.0 - keep)


def share_kept(step: int, most: float) -> float:
    """Of an average over the last steps: `most` of it, less at the beginning, when there is little to keep."""
    return min(most, (1 + step) / (10 + step))
