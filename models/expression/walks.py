"""Paths for a generator that nobody has searched expressions for: every emotion walks the picture some way towards another one.

No claim is made that what comes out looks like the emotion, or that there is a face at all: it may be a generator of cats or of
paintings. But every emotion has its own picture to lean towards, always the same one, so a voice can be seen to move it.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.expression.paths import ExpressionPaths
from models.labels import EMOTIONS, NEUTRAL
from models.stylegan.generator import Generator

REACH: Final = 0.4  # of the way to the other picture: moved for everyone to see, and still the same one
NUDGES: Final = {"mouth_open": 0.12, "blink": 0.0, "yaw": 0.06, "pitch": 0.06}  # of the way, for the controls of the fast lane


def walk_paths(generator: Generator, seed: int, psi: float = 0.7) -> ExpressionPaths:
    """The picture `seed:N` of any generator at truncation `psi`, and where each emotion and control leads it."""
    w = generator.code_of_seed(seed, psi)
    ways = iter(range(1, 100))

    def towards(share: float) -> NDArray[np.float32]:
        """`share` of the way to a picture of its own: (num_ws, w_dim)."""
        way = _other(generator, seed, next(ways), psi) - w
        return np.ascontiguousarray(generator.broadcast(share * way)[0].cpu().numpy(), np.float32)

    neutral = generator.broadcast(w)[0].cpu().numpy().copy()
    paths = np.stack([np.zeros_like(neutral) if index == NEUTRAL else towards(REACH) for index in range(len(EMOTIONS))])
    rig = {control: towards(share) for control, share in NUDGES.items()}
    return ExpressionPaths(neutral, paths[:, None], rig, generator.graph_hash, f"seed:{seed}")


def _other(generator: Generator, seed: int, way: int, psi: float) -> Tensor:
    """w (1, w_dim) of the picture that lies at the end of a way; no two seeds share one."""
    z = np.random.RandomState([seed, way]).randn(1, generator.z_dim)
    return generator.truncate(generator.mapping(torch.from_numpy(z).to(generator.w_avg)), psi)
