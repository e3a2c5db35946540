"""Fewer hidden units after training: those go that the verdict misses least, and the others take over what they said.

Optimal brain surgeon (Hassibi and Stork, NIPS 1992) on the last layer, which is linear: what it costs to leave a unit out, and
how the others make up for it best, both follow from the units' second moments.
"""

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn

from models.emotion.network import N_HIDDEN, EmotionNetwork
from tools.emotion_embeddings import Batch

RIDGE: Final = 1e-6  # of the units' mean square


@torch.no_grad()
def thinned(network: EmotionNetwork, heard: Iterable[Batch], units: int = N_HIDDEN) -> EmotionNetwork:
    """The network with that many hidden units, whose verdicts on what was `heard` are as near to its own as can be."""
    network = network.eval()
    hidden = torch.cat([network.hidden(batch.embedding, batch.centre, batch.known) for batch in heard]).double()
    enter, leave = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    said = torch.cat([hidden, torch.ones(len(hidden), 1)], dim=1)
    weight = torch.cat([leave.weight, leave.bias[:, None]], dim=1).double().T
    kept = surgeon(said.T @ said / len(said), weight, units + 1)

    thin = EmotionNetwork(units)
    thin.mean.copy_(network.mean)
    thin.std.copy_(network.std)
    thin.shifts.copy_(network.shifts)
    own_enter, own_leave = (layer for layer in thin.layers if isinstance(layer, nn.Linear))
    own_enter.load_state_dict({"weight": enter.weight[kept[:-1]], "bias": enter.bias[kept[:-1]]})
    own_leave.load_state_dict({"weight": weight[kept[:-1]].T, "bias": weight[-1]})
    return thin.eval()


def surgeon(moments: Tensor, weight: Tensor, count: int) -> Tensor:
    """Numbers (count,) of the rows of `weight` (n, m) that stay; it is changed so that they do the work of all, the others are 0.

    moments  (n, n): second moments of what is multiplied with the rows; the last row stays
    """
    left = torch.ones(len(weight), dtype=torch.bool)
    inverse = torch.linalg.inv(moments + RIDGE * moments.diagonal().mean() * torch.eye(len(moments)).to(moments))
    while int(left.sum()) > count:
        cost = (weight.square().sum(1) / inverse.diagonal()).where(left, torch.inf)
        cost[-1] = torch.inf
        least = int(cost.argmin())
        column, pivot = inverse[:, least].clone(), inverse[least, least].clone()
        weight -= torch.outer(column, weight[least]) / pivot
        inverse -= torch.outer(column, column) / pivot
        left[least] = False
        weight[~left], inverse[~left], inverse[:, ~left] = 0, 0, 0
    return left.nonzero()[:, 0]
