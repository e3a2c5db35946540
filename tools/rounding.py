"""Heads read while they are fitted what they will read when they are drawn in integers (`engine/int8.py`)."""

import torch
from torch import Tensor, nn

from engine.int8 import MOST
from engine.openvino import ROUNDED, known_steps
from models.errors import UserError
from models.stylegan.head import Head
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import HEADS, Pixels


def round_as_drawn(head: Head, generator: MobileStyleGAN) -> None:
    """From now on hidden layers of `head` read what those of the shipped one do, where OpenVINO draws it in integers.

    Raises UserError for the head of which the generator's own layers are rounded too, and where the shipped one can't be read.
    """
    size, quality = next(way for way, design in HEADS.items() if design == head.design)
    if ROUNDED[size, quality] == "all":
        raise UserError(f"{head.design.name} is drawn in integers from the generator's layers on; leave --rounded out")
    steps = list(known_steps(Pixels(generator, size, quality).eval()).values())
    hidden = (*head.middle, head.leave)
    for layer, step in zip(hidden, steps[-len(hidden) :], strict=True):  # before them may be the features' own
        _let_read(layer, torch.from_numpy(step))


def rounded(x: Tensor, step: Tensor) -> Tensor:
    """`x` (N, C, H, W) as integers times `step` (C,); gradients pass as if nothing were rounded."""
    size = step[:, None, None]
    integers = (x.detach() / size).round().clamp(-MOST - 1, MOST)
    return x + (integers * size - x.detach()).to(x.dtype)


def _let_read(layer: nn.Module, step: Tensor) -> None:
    layer.register_forward_pre_hook(lambda _, read: tuple(rounded(x, step) for x in read))
