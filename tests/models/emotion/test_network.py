"""The network sees speech only, in any amount, and is small."""

import numpy as np
import pytest
import torch

from models.emotion.front_end import N_FEATURES, VOICED
from models.emotion.network import EmotionNetwork, masked_statistics, n_parameters
from models.labels import EMOTIONS


@pytest.fixture(scope="module")
def network() -> EmotionNetwork:
    torch.manual_seed(0)
    return EmotionNetwork().eval()


def inputs(batch: int = 3, frames: int = 297) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(batch, frames, N_FEATURES, generator=generator)
    features[..., VOICED] = (features[..., VOICED] > 0).float()
    speech = torch.zeros(batch, frames)
    speech[:, 40:160] = 1.0
    return features * speech[..., None], speech, torch.zeros(batch, N_FEATURES), torch.zeros(batch)


@torch.no_grad()
@pytest.mark.parametrize("frames", [200, 297, 400])
def test_one_verdict_per_window_of_any_length(network: EmotionNetwork, frames: int) -> None:
    verdict = network(*inputs(frames=frames))
    assert verdict.emotion.shape == (3, len(EMOTIONS)) and verdict.arousal.shape == (3,)


@torch.no_grad()
def test_no_speech_at_all_gives_finite_numbers(network: EmotionNetwork) -> None:
    features, _, centre, known = inputs()
    verdict = network(features * 0, torch.zeros(3, 297), centre, known)
    assert bool(verdict.emotion.isfinite().all()) and bool(verdict.arousal.isfinite().all())


@torch.no_grad()
def test_what_is_outside_of_speech_has_no_influence(network: EmotionNetwork) -> None:
    features, speech, centre, known = inputs()
    disturbed = torch.where(speech[..., None] > 0, features, torch.randn_like(features) * 9)
    assert torch.allclose(network(features, speech, centre, known).emotion, network(disturbed, speech, centre, known).emotion)


@torch.no_grad()
def test_subtracting_the_voice_is_the_same_as_a_voice_without_offset(network: EmotionNetwork) -> None:
    features, speech, centre, known = inputs()
    offset = torch.linspace(-1, 1, N_FEATURES)
    offset[VOICED] = 0.0  # whether a frame is voiced decides which features count
    moved = (features + offset) * speech[..., None]
    expected = network(features, speech, centre, known + 0.5).emotion
    assert torch.allclose(network(moved, speech, centre + offset, known + 0.5).emotion, expected, atol=1e-4)


def test_statistics_are_weighted_mean_and_deviation() -> None:
    x = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.zeros(2, 50, 1)
    weight[:, 10:30] = 1.0
    mean, deviation = masked_statistics(x, weight)
    assert np.allclose(mean, x[:, 10:30].mean(1), atol=1e-5)
    assert np.allclose(deviation, x[:, 10:30].std(1, correction=0), atol=1e-3)


def test_small_enough(network: EmotionNetwork) -> None:
    assert n_parameters(network) <= 1_000_000
