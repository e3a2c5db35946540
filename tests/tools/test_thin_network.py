"""Thinning: what is said twice goes first, and what is left says the same."""

import pytest
import torch
from torch import nn

from models.emotion.classifier import WEIGHTS
from models.emotion.embedding import N_EMBEDDING
from models.emotion.network import N_HIDDEN, EmotionNetwork, Verdict
from models.emotion.trained import Trained
from models.emotion.vocal_bursts import VocalBursts
from tools.emotion_embeddings import Batch
from tools.thin_network import surgeon, thinned

MOST_PARAMETERS = 3_000_000


def heard(count: int, seed: int) -> Batch:
    some = torch.Generator().manual_seed(seed)
    none = torch.zeros(count)
    vectors = torch.randn(count, N_EMBEDDING, generator=some)
    return Batch(vectors, torch.zeros_like(vectors), torch.rand(count, generator=some), torch.zeros(count, 5), none)


@torch.no_grad()
def said(network: EmotionNetwork, batch: Batch) -> torch.Tensor:
    verdict: Verdict = network(batch.embedding, batch.centre, batch.known)
    return torch.cat([verdict.emotion, verdict.arousal[:, None], verdict.intensity[:, None]], dim=1)


def test_units_that_say_what_others_say_go_and_nothing_changes() -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(16).eval()
    enter, _ = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    with torch.no_grad():
        enter.weight[[3, 9]], enter.bias[[3, 9]] = enter.weight[[5, 11]], enter.bias[[5, 11]]
    batch = heard(200, 1)
    thin = thinned(network, [batch], 14)
    assert thin(batch.embedding, batch.centre, batch.known).emotion.shape == (200, 5)
    assert said(thin, heard(50, 2)) == pytest.approx(said(network, heard(50, 2)), abs=1e-3)
    left = next(layer for layer in thin.layers if isinstance(layer, nn.Linear)).weight
    assert len(left) == len(left.unique(dim=0)) == 14


def test_what_is_left_makes_up_for_what_goes_as_well_as_least_squares_can() -> None:
    some = torch.Generator().manual_seed(3)
    values = torch.randn(500, 8, generator=some, dtype=torch.float64) @ torch.randn(8, 8, generator=some, dtype=torch.float64)
    weight = torch.randn(8, 3, generator=some, dtype=torch.float64)
    expected, thin = values @ weight, weight.clone()
    kept = surgeon(values.T @ values / 500, thin, 6)
    assert len(kept) == 6
    assert int(kept[-1]) == 7, "the last row stays"
    best = torch.linalg.lstsq(values[:, kept], expected).solution
    assert torch.allclose(thin[kept], best, atol=1e-3)
    gone = sorted(set(range(8)) - set(kept.tolist()))
    assert not thin[gone].any()


def test_the_shipped_parts_are_below_three_million_numbers() -> None:
    trained, bursts = Trained.load(WEIGHTS, "restore it"), VocalBursts.load()
    learnt = [*trained.network.parameters(), *trained.encoder.parameters(), *trained.voices.state_dict().values()]
    count = sum(part.numel() for part in learnt) + bursts.weight.size + bursts.bias.size + bursts.activity.weight.numel() + 1
    assert trained.network.hidden(torch.zeros(1, N_EMBEDDING), torch.zeros(1, N_EMBEDDING), torch.zeros(1)).shape == (1, N_HIDDEN)
    assert count <= MOST_PARAMETERS
