"""Laughter alone: a voice, but no speech, and to the network as excited as anger or fear. It says none of the five emotions.

Logistic regression on the vector of the newest speech (`embedding.py`), learnt by `tools/train_laughter.py`. Other bursts of
voice, sobs, cries and groans, stay by far the most part what they are to the network.
"""

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.emotion.embedding import N_EMBEDDING
from models.errors import UserError
from models.files import written_beside

WEIGHTS: Final = Path(__file__).parent / "weights" / "laughter.safetensors"
FORMAT: Final = "speech2expression laughter 1"

Floats = NDArray[np.float32]


class Laughter:
    """`weight` (N_EMBEDDING,) and `bias` give the log-odds of laughter; `classifier`: identity of the weights whose vectors they
    read."""

    def __init__(self, weight: Floats, bias: float, classifier: str) -> None:
        self.weight, self.bias, self.classifier = weight, bias, classifier

    def heard_in(self, newest: Floats) -> float:
        """How likely it is, 0..1, that speech with this vector (N_EMBEDDING,) is laughter alone."""
        return 0.5 + 0.5 * math.tanh(0.5 * (float(self.weight @ newest) + self.bias))

    def save(self, path: Path) -> None:
        """Write it, whole or not at all. Raises UserError."""
        tensors = {"weight": self.weight.astype(np.float32), "bias": np.array([self.bias], np.float32)}
        with written_beside(path) as beside:
            save_file(tensors, beside, {"format": FORMAT, "classifier": self.classifier})

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Laughter":
        """Raises UserError where the file is missing, damaged or something else."""
        try:
            with safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
            if metadata["format"] != FORMAT or weight.shape != (N_EMBEDDING,) or bias.shape != (1,):
                raise ValueError("another format")
            return cls(weight.astype(np.float32), float(bias[0]), metadata["classifier"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise UserError(
                f"{path} does not hold what hears laughter ({' '.join(str(error).split())[:100]}); restore it from the repository"
            ) from error
