"""The vector of a window: of speech only, of any amount, the same for any gain."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import demo_voice

from models.emotion.embedding import N_EMBEDDING, N_ENCODED, WindowEmbedding, functionals, masked_statistics
from models.emotion.front_end import N_FEATURES, VOICED, FrontEnd
from models.emotion.speech_encoder import SpeechEncoder


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


@pytest.fixture(scope="module")
def embedding(front_end: FrontEnd) -> WindowEmbedding:
    return WindowEmbedding(front_end, SpeechEncoder.load())


@pytest.fixture(scope="module")
def frames(front_end: FrontEnd) -> torch.Tensor:
    """Three seconds of the bundled voice."""
    return front_end.frame_features(torch.from_numpy(demo_voice()[16_000:64_000]))[None]


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a, b))


def test_one_vector_per_window_of_any_length(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    for length in (20, 151, 297):
        vector = embedding(frames[:, :length], torch.ones(1, length))
        assert vector.shape == (1, N_EMBEDDING) and bool(vector.isfinite().all())


def test_no_speech_at_all_gives_finite_numbers(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    assert bool(embedding(frames, torch.zeros(1, frames.shape[1])).isfinite().all())


def test_what_is_outside_of_speech_has_no_influence(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    speech = torch.zeros(1, frames.shape[1])
    speech[:, 40:160] = 1.0
    disturbed = torch.where(speech[..., None] > 0, frames, torch.randn_like(frames))
    assert torch.equal(embedding(frames, speech), embedding(disturbed, speech))
    assert not torch.equal(embedding(frames, speech), embedding(frames, torch.ones_like(speech)))


@settings(deadline=None, max_examples=8)
@given(st.floats(-30.0, 10.0))
def test_gain_is_not_heard(embedding: WindowEmbedding, front_end: FrontEnd, gain_db: float) -> None:
    sound = torch.from_numpy(demo_voice()[16_000:64_000])
    speech = torch.ones(1, 297)
    plain, loud = (embedding(front_end.frame_features(x)[None], speech) for x in (sound, sound * 10 ** (gain_db / 20)))
    assert likeness(plain[:, :N_ENCODED], loud[:, :N_ENCODED]) > 0.9999
    assert likeness(plain[:, N_ENCODED:], loud[:, N_ENCODED:]) > 0.995


def test_statistics_are_mean_and_deviation_where_speech_is() -> None:
    x = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.zeros(2, 50)
    weight[:, 10:30] = 1.0
    mean, deviation = masked_statistics(x, weight)
    assert np.allclose(mean, x[:, 10:30].mean(1), atol=1e-5)
    assert np.allclose(deviation, x[:, 10:30].std(1, correction=0), atol=1e-5)


def test_functionals_tell_steady_from_moving_voices() -> None:
    x = torch.zeros(2, 100, N_FEATURES)
    x[..., VOICED] = 1.0
    x[1, :, 0] = torch.sin(torch.arange(100) / 3.0)
    steady, moving = functionals(x, torch.ones(2, 100))
    change_over_20_ms = 4 * N_FEATURES
    assert float(moving[change_over_20_ms]) > 5 * float(steady[change_over_20_ms])
    assert float(steady[-1]) == 1.0  # all of it is voiced
