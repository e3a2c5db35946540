"""What is known of one performer's voice before she speaks: its mean, and how her own emotions differ from everybody's.

Learnt from some sentences (`enrolment.py`, `tools.enrol_voice`), kept in a small file, used by the classifier beside its
weights, which stay as they are. The mean is where the running mean starts. The correction is a linear layer beside the
network's last one: on its hidden layer, added to its logits.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.emotion.embedding import N_EMBEDDING
from models.emotion.network import N_HIDDEN
from models.errors import UserError
from models.files import written_beside
from models.labels import EMOTIONS

Floats = NDArray[np.float32]

LARGEST: Final = 1e4
"""Of any number in a mean or a correction: far more than any voice has, and far from what float32 can't hold."""
MOST_FRAMES: Final = 1e9  # of speech in a mean
_FORMAT: Final = "speech2expression voice profile"
_VERSION: Final = "3"
_ARRAYS: Final = {
    "total": (N_EMBEDDING,),
    "count": (),
    "offset": (N_HIDDEN,),
    "weight": (len(EMOTIONS), N_HIDDEN),
    "bias": (len(EMOTIONS),),
}


@dataclass(frozen=True)
class VoiceProfile:
    """`classifier`: identity of the weights it was made with; `total`, `count`: the voice's mean as `voice_mean.centre` takes
    it; `offset`, `weight`, `bias`: the correction; `sentences`: how many were heard per emotion; `seconds` of speech; `name`: of
    its file."""

    classifier: str
    total: Floats
    count: float
    offset: Floats
    weight: Floats
    bias: Floats
    sentences: dict[str, int]
    seconds: float
    name: str = ""

    def correction(self, hidden: Floats) -> Floats:
        """What to add to the network's logits (n, 5), from its hidden layer (n, N_HIDDEN)."""
        added: Floats = ((hidden - self.offset) @ self.weight.T + self.bias).astype(np.float32)
        return added

    def save(self, path: Path) -> None:
        """Write it, whole or not at all. Raises UserError where that can't be."""
        facts = {"format": _FORMAT, "version": _VERSION, "classifier": self.classifier, "seconds": str(self.seconds)}
        facts["sentences"] = json.dumps(self.sentences)
        with written_beside(path) as beside:
            save_file({name: np.array(getattr(self, name), np.float32, order="C") for name in _ARRAYS}, beside, metadata=facts)

    @classmethod
    def load(cls, path: Path) -> "VoiceProfile":
        """Read it. Raises UserError if it is missing, no profile, damaged, or of another version."""
        enrol = "make one: python -m tools.enrol_voice FILE"
        try:
            with safe_open(path, "numpy") as file:
                facts = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
        except FileNotFoundError as error:
            raise UserError(f"no voice profile at {path}; {enrol}") from error
        except (OSError, SafetensorError, ValueError, TypeError) as error:
            raise UserError(f"{path} is no voice profile or is damaged; {enrol}") from error
        if facts.get("format") != _FORMAT:
            raise UserError(f"{path} is no voice profile; {enrol}")
        if facts.get("version") != _VERSION:
            raise UserError(
                f"{path} is a voice profile of version {facts.get('version')}, expected {_VERSION}; enrol the voice again"
            )
        shapes = {name: array.shape for name, array in arrays.items() if np.issubdtype(array.dtype, np.floating)}
        if shapes != _ARRAYS or not _sound(arrays):
            raise UserError(f"{path} does not fit this version's features or is damaged; enrol the voice again")
        try:
            sentences = {str(name): int(number) for name, number in json.loads(facts["sentences"]).items()}
            seconds = float(facts["seconds"])
            identity = facts["classifier"]
            if not 0 <= seconds < math.inf or min(sentences.values(), default=0) < 0:
                raise ValueError
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise UserError(f"{path} is a damaged voice profile; enrol the voice again") from error
        return cls(
            identity, **{n: a.astype(np.float32) for n, a in arrays.items()}, sentences=sentences, seconds=seconds, name=path.stem
        )


def _sound(arrays: Mapping[str, NDArray[np.floating]]) -> bool:
    """Whether the numbers of a file are some that enrolment could have written."""
    count = float(arrays["count"])
    limits = {name: LARGEST * (count if name == "total" else 1.0) for name in arrays if name != "count"}
    return 0 < count <= MOST_FRAMES and all(bool((np.abs(arrays[name]) <= limit).all()) for name, limit in limits.items())


def no_correction() -> tuple[Floats, Floats, Floats]:
    """Offset, weight and bias that change nothing."""
    offset, weight, bias = (np.zeros(_ARRAYS[name], np.float32) for name in ("offset", "weight", "bias"))
    return offset, weight, bias
