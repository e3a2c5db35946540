"""Instance-specific search: from one face's code to an expression of the same face, by gradients through the generator.

After Han et al., "Disentangled Face Attribute Editing via Instance-Aware Latent Space Search", IJCAI 2021, in W+: only the rows
that shape a face move, each step has the gradient's direction and not its length, and there is momentum. Whitening W first was
tried: it follows what goes together in the training pictures, and makes a woman who gets angry a man.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.expression.objective import Objective
from models.expression.preview import Preview
from models.judge.steer import Jitter


@dataclass(frozen=True)
class Walk:
    """Settings of one search: steps, their length in W+, momentum, pull towards the start."""

    steps: int = 22
    length: float = 0.8
    momentum: float = 0.7
    distance: float = 0.002
    jitters: int = 2


def search(
    preview: Preview,
    start: Tensor,
    objective: Objective,
    walk: Walk,
    *,
    first: Tensor | None = None,
    rows: slice,
    seed: int = 0,
    tell: Callable[[dict[str, float]], None] = lambda _: None,
) -> Tensor:
    """(steps + 1, num_ws, 512): the offsets from `start` (1, num_ws, 512) after each step; the first is `first` or zero.

    Only `rows` of it move.
    """
    random = np.random.RandomState(seed)
    begin = torch.zeros_like(start[0]) if first is None else first
    moved = begin[rows].clone()
    velocity = torch.zeros_like(moved)
    trail = [begin.clone()]
    for _ in range(walk.steps):
        moved.requires_grad_()
        terms = objective(preview(start + _with_rows(begin, rows, moved)), random_jitters(random, walk.jitters))
        terms["distance"] = walk.distance * moved.square().sum()
        loss = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(loss, moved)
        velocity = walk.momentum * velocity + (1 - walk.momentum) * gradient / gradient.norm().clamp_min(1e-12)
        moved = (moved - walk.length * velocity).detach()
        trail.append(_with_rows(begin, rows, moved))
        tell({name: float(term.detach()) for name, term in terms.items()} | {"length": float(moved.norm())})
    return torch.stack(trail)


def _with_rows(offset: Tensor, rows: slice, moved: Tensor) -> Tensor:
    changed = offset.clone()
    changed[rows] = moved
    return changed


def random_jitters(random: np.random.RandomState, count: int) -> list[Jitter]:
    """Slightly moved and scaled crops, every second one mirrored: what convinces a network in all of them is no accident."""

    def one(number: int) -> Jitter:
        dx, dy = random.uniform(-0.03, 0.03, 2).tolist()
        return Jitter(dx, dy, float(random.uniform(0.93, 1.07)), mirrored=bool(number % 2))

    return [one(number) for number in range(count)]
