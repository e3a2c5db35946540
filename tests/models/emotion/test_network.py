"""The network's verdicts: their shapes, what the voice's mean does, and that what training found is small."""

import pytest
import torch

from models.emotion.embedding import N_EMBEDDING
from models.emotion.network import EmotionNetwork
from models.labels import EMOTIONS


@pytest.fixture(scope="module")
def network() -> EmotionNetwork:
    torch.manual_seed(0)
    return EmotionNetwork().eval()


def embeddings(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, N_EMBEDDING, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_one_verdict_per_window(network: EmotionNetwork) -> None:
    verdict = network(embeddings(), torch.zeros(3, N_EMBEDDING), torch.zeros(3))
    assert verdict.emotion.shape == (3, len(EMOTIONS)) and verdict.arousal.shape == verdict.intensity.shape == (3,)


@torch.no_grad()
def test_subtracting_the_voice_is_the_same_as_a_voice_without_offset(network: EmotionNetwork) -> None:
    offset, centre = torch.linspace(-1, 1, N_EMBEDDING), torch.zeros(3, N_EMBEDDING)
    expected = network(embeddings(), centre, torch.full((3,), 0.5)).emotion
    assert torch.allclose(network(embeddings() + offset, centre + offset, torch.full((3,), 0.5)).emotion, expected, atol=1e-4)


@torch.no_grad()
def test_one_wild_number_does_not_decide(network: EmotionNetwork) -> None:
    wild = embeddings()
    wild[:, 7] = 1e6
    bounded = embeddings()
    bounded[:, 7] = 5.0
    centre, known = torch.zeros(3, N_EMBEDDING), torch.zeros(3)
    assert torch.allclose(network(wild, centre, known).emotion, network(bounded, centre, known).emotion)


def test_small_enough(network: EmotionNetwork) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_000_000
