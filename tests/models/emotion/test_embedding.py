"""The vector of a window: of speech only, of any amount, the same for any gain."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import demo_voice

from models.emotion.classifier import WEIGHTS
from models.emotion.embedding import (
    N_EMBEDDING,
    N_ENCODED,
    NEWEST,
    WindowEmbedding,
    functionals,
    masked_statistics,
    newest,
)
from models.emotion.front_end import N_FEATURES, VOICED, FrontEnd
from models.emotion.trained import Trained


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


@pytest.fixture(scope="module")
def embedding(front_end: FrontEnd) -> WindowEmbedding:
    return WindowEmbedding(front_end, Trained.load(WEIGHTS, "").encoder.listening())


@pytest.fixture(scope="module")
def frames(front_end: FrontEnd) -> torch.Tensor:
    """Three seconds of the bundled voice."""
    return front_end.frame_features(torch.from_numpy(demo_voice()[16_000:64_000]))[None]


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a, b))


def vector(embedding: WindowEmbedding, frames: torch.Tensor, speech: torch.Tensor) -> torch.Tensor:
    return embedding(frames, speech).over(speech[:, None])[:, 0]


def test_one_vector_per_window_of_any_length(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    for length in (20, 151, 297):
        found = vector(embedding, frames[:, :length], torch.ones(1, length))
        assert found.shape == (1, N_EMBEDDING) and bool(found.isfinite().all())


def test_no_speech_at_all_gives_finite_numbers(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    assert bool(vector(embedding, frames, torch.zeros(1, frames.shape[1])).isfinite().all())


def test_what_is_outside_of_speech_has_no_influence(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    speech = torch.zeros(1, frames.shape[1])
    speech[:, 40:160] = 1.0
    disturbed = torch.where(speech[..., None] > 0, frames, torch.randn_like(frames))
    assert torch.equal(vector(embedding, frames, speech), vector(embedding, disturbed, speech))
    assert not torch.equal(vector(embedding, frames, speech), vector(embedding, frames, torch.ones_like(speech)))


@settings(deadline=None, max_examples=8)
@given(st.floats(-30.0, 10.0))
def test_gain_is_not_heard(embedding: WindowEmbedding, front_end: FrontEnd, gain_db: float) -> None:
    sound = torch.from_numpy(demo_voice()[16_000:64_000])
    speech = torch.ones(1, 297)
    plain, loud = (vector(embedding, front_end.frame_features(x)[None], speech) for x in (sound, sound * 10 ** (gain_db / 20)))
    assert likeness(plain[:, :N_ENCODED], loud[:, :N_ENCODED]) > 0.9999
    assert likeness(plain[:, N_ENCODED:], loud[:, N_ENCODED:]) > 0.995


def test_the_newest_speech_is_the_last_of_it_wherever_pauses_are() -> None:
    speech = torch.ones(2, 297)
    speech[1, 200:260] = 0.0
    kept = newest(speech)
    assert kept.sum(1).tolist() == [NEWEST, NEWEST]
    assert kept[0].nonzero().min() == 297 - NEWEST
    assert kept[1].nonzero().min() == 297 - NEWEST - 60
    few = torch.zeros(1, 297)
    few[:, 100:130] = 1.0
    assert torch.equal(newest(few), few)


def test_the_newest_speech_has_a_vector_of_its_own(embedding: WindowEmbedding, frames: torch.Tensor) -> None:
    speech = torch.ones(1, frames.shape[1])
    both = embedding(frames, speech).over(torch.stack([speech, newest(speech)], dim=1))
    assert torch.allclose(both[:, 0], vector(embedding, frames, speech), atol=1e-4)
    assert not torch.allclose(both[:, 0], both[:, 1], atol=0.1)


def test_statistics_are_mean_and_deviation_where_speech_is() -> None:
    x = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.zeros(2, 50)
    weight[:, 10:30] = 1.0
    later = torch.zeros(2, 50)
    later[:, 25:30] = 1.0
    mean, deviation = masked_statistics(x + 50.0, torch.stack([weight, later, torch.zeros(2, 50)], dim=1))
    for number, part in enumerate((x[:, 10:30], x[:, 25:30])):
        assert np.allclose(mean[:, number], part.mean(1) + 50.0, atol=1e-4)
        assert np.allclose(deviation[:, number], part.std(1, correction=0), atol=1e-4)
    assert not mean[:, 2].any() and not deviation[:, 2].any()


def test_functionals_tell_steady_from_moving_voices() -> None:
    x = torch.zeros(2, 100, N_FEATURES)
    x[..., VOICED] = 1.0
    x[1, :, 0] = torch.sin(torch.arange(100) / 3.0)
    steady, moving = functionals(x, torch.ones(2, 1, 100))[:, 0]
    change_over_20_ms = 4 * N_FEATURES
    assert float(moving[change_over_20_ms]) > 5 * float(steady[change_over_20_ms])
    assert float(steady[-1]) == 1.0  # all of it is voiced
