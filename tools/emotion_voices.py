"""Learns the directions that tell voices apart (`models/emotion/voice_identity.py`)."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.emotion.voice_identity import FARTHEST, N_DIRECTIONS, N_TOLD, VoiceIdentity

_COMPONENTS: Final = 300  # of the vectors, before voices are looked at: more of them than that are told by chance
_SHRINKAGE: Final = 0.1  # of the scatter within voices towards a sphere


def fit_identity(vectors: NDArray[np.float32], voices: NDArray[np.int64]) -> VoiceIdentity:
    """From windows' embeddings (N, at least N_TOLD) and whose they are (N,). Of too few it tells nobody apart."""
    identity = VoiceIdentity()
    names, voice, count = np.unique(voices, return_inverse=True, return_counts=True)
    n = min(N_DIRECTIONS, len(names) - 1)
    if n < 1 or len(vectors) <= len(names) + _COMPONENTS:
        return identity
    x = vectors[:, :N_TOLD].astype(np.float64)
    mean, std = x.mean(0), x.std(0) + 1e-3
    z = np.clip((x - mean) / std, -FARTHEST, FARTHEST)
    components = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:_COMPONENTS].T
    y = (z - z.mean(0)) @ components
    places = np.stack([y[voice == i].mean(0) for i in range(len(names))])
    left = y - places[voice]
    within = left.T @ left / (len(y) - len(names))
    within = (1 - _SHRINKAGE) * within + _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    whiten = np.linalg.cholesky(np.linalg.inv(within))
    between = (places - places.mean(0)) @ whiten
    variance, turned = np.linalg.eigh(between.T @ between / len(names))
    most = np.argsort(-variance)[:n]
    directions = components @ whiten @ turned[:, most]
    identity.mean.copy_(torch.from_numpy(mean + std * z.mean(0)))
    identity.std.copy_(torch.from_numpy(std))
    identity.directions[:, :n].copy_(torch.from_numpy(directions))
    # A voice's mean over few windows scatters by itself.
    identity.spread[:n].copy_(torch.from_numpy(np.maximum(variance[most] - 1 / np.median(count), 0.0)))
    return identity
