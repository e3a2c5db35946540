"""How networks are fitted here: steps of bounded length, at a pace that falls like a cosine, and an average of the weights."""

import math

import torch
from torch import Tensor, nn


def cosine_pace(share: float, least: float = 0.0) -> float:
    """Of the learning rate, after that share of the way (0…1): from 1 down to `least`."""
    return least + (1.0 - least) * 0.5 * (1.0 + math.cos(math.pi * share))


def descend(
    loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module, keep: float, steepest: float
) -> None:
    """One step of `module` down the loss, whose gradients are shortened to `steepest` all together; `average`, a module like it,
    keeps that share of itself and takes the rest from it."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), steepest)
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1.0 - keep)


def share_kept(step: int, most: float) -> float:
    """Of an average over the last steps: `most` of it, less at the beginning, when there is little to keep."""
    return min(most, (1 + step) / (10 + step))
