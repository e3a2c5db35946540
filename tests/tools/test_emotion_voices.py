"""Directions that tell voices apart are learnt from some voices and hold for others."""

import numpy as np
import torch

from models.emotion.embedding import N_EMBEDDING
from models.emotion.voice_identity import N_TOLD
from tools.emotion_voices import fit_identity


def windows(n_voices: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Voices differ along ten directions, moods along others, twice as far."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(9).standard_normal((N_TOLD, 20)) / np.sqrt(N_TOLD)
    voice = np.repeat(np.arange(n_voices), each)
    place = 3.0 * rng.standard_normal((n_voices, 10))[voice] @ basis[:, :10].T
    mood = 6.0 * rng.standard_normal((len(voice), 10)) @ basis[:, 10:].T
    vectors = np.zeros((len(voice), N_EMBEDDING), np.float32)
    vectors[:, :N_TOLD] = 5.0 + place + mood + 0.3 * rng.standard_normal((len(voice), N_TOLD))
    return vectors, voice


def test_voices_that_were_not_learnt_from_are_told_apart() -> None:
    identity = fit_identity(*windows(60, 30, seed=0))
    vectors, voice = windows(6, 20, seed=1)
    mean = [torch.from_numpy(vectors[voice == v][:8].mean(0)) for v in range(6)]
    own, others = [], []
    for row in np.flatnonzero(np.arange(len(voice)) % 20 >= 8):
        for v in range(6):
            ratio = identity.log_ratio(torch.from_numpy(vectors[row]), mean[v], 8)
            (own if v == voice[row] else others).append(ratio)
    assert np.mean(np.array(own) > 0) > 0.95
    assert np.mean(np.array(others) < 0) > 0.9


def test_of_too_few_nobody_is_told_apart() -> None:
    vectors, voice = windows(1, 400, seed=0)
    assert not fit_identity(vectors, voice).directions.any()
    vectors, voice = windows(5, 10, seed=0)
    assert not fit_identity(vectors, voice).directions.any()
