"""Vocal bursts: screams, sobs, groans, cheers and laughter, and vowels that are held. Voices that voice activity for speech does
not hear, and, where nothing is said or sung, emotions that the network for speech does not know.

Reflexes are what a body does by itself: laughter, coughs, sneezes, a throat that is cleared, breath. They say none of the five.

Two linear readings, learnt by `tools/train_bursts.py`. Of voice activity's own states: whether there may be a voice, though no
speech. Of a vector (`embedding.py`): how much of what is heard is speech or song, how much a reflex, how much no voice after
all, and how much a burst of each of the five.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from models.emotion.belief import softmax
from models.emotion.embedding import N_EMBEDDING
from models.emotion.voice_activity import N_STATE
from models.errors import UserError
from models.files import written_beside
from models.labels import EMOTIONS

WEIGHTS: Final = Path(__file__).parent / "weights" / "vocal_bursts.safetensors"
FORMAT: Final = "speech2expression vocal bursts 2"
KINDS: Final = ("speech", "reflex", "no voice", *EMOTIONS)
SPEECH, REFLEX, NO_VOICE = range(3)
N_READ: Final = 2 * N_STATE
_SHAPES: Final = {
    "activity.weight": (N_READ,),
    "activity.bias": (1,),
    "kind.weight": (len(KINDS), N_EMBEDDING),
    "kind.bias": (len(KINDS),),
}

Floats = NDArray[np.float32]


class Shares(NamedTuple):
    """Of n vectors: how much of each is speech (n,), a reflex (n,), no voice (n,), and a burst of each of the five (n, 5);
    together 1."""

    speech: NDArray[np.float64]
    reflex: NDArray[np.float64]
    no_voice: NDArray[np.float64]
    emotions: NDArray[np.float64]

    def where_spoken(self, spoken: float) -> "Shares":
        """As far (0..1) as voice activity itself has heard enough speech, what is heard is no mere sound and no burst, but
        speech, or a reflex: coughs and laughter are often called speech."""
        moved = spoken * (self.no_voice + self.emotions.sum(1))
        left = 1.0 - spoken
        return Shares(self.speech + moved, self.reflex, left * self.no_voice, left * self.emotions)

    def logits(self, said: Floats) -> Floats:
        """Logits (n, 5) of the emotion in what has one, where those `said` by what is speech are (n, 5)."""
        both: Floats = np.log(self.speech[:, None] * softmax(said) + self.emotions + _LEAST).astype(np.float32)
        return both


_LEAST: Final = 1e-12  # nothing is impossible
ALL_SPEECH: Final = Shares(np.ones(1), np.zeros(1), np.zeros(1), np.zeros((1, len(EMOTIONS))))


def read(states: Tensor) -> Tensor:
    """What `Activity` reads of voice activity's newest states (n, N_STATE): the newest, and their mean (N_READ,)."""
    return torch.cat([states[-1], states.mean(0)])


@dataclass(frozen=True)
class Activity:
    """Log-odds that there may be a voice, linear in what is read of voice activity's states: `weight` (N_READ,), float32."""

    weight: Tensor
    bias: float

    def __call__(self, states: Tensor) -> float:
        """As `voice_activity.Outburst`."""
        return float((self.weight @ read(states) + self.bias).sigmoid())


class VocalBursts:
    """`activity`: whether there are any. `weight` (8, N_EMBEDDING) and `bias` (8,): logits of KINDS. `classifier`: identity of
    the weights whose vectors they read."""

    def __init__(self, activity: Activity, weight: Floats, bias: Floats, classifier: str) -> None:
        self.activity, self.weight, self.bias, self.classifier = activity, weight, bias, classifier

    def heard_in(self, vectors: Floats) -> Shares:
        """What is heard in vectors (n, N_EMBEDDING)."""
        likely = self.kinds(vectors)
        return Shares(likely[:, SPEECH], likely[:, REFLEX], likely[:, NO_VOICE], likely[:, NO_VOICE + 1 :])

    def kinds(self, vectors: Floats) -> NDArray[np.float64]:
        """The same as probabilities of KINDS (n, 8)."""
        return softmax(vectors @ self.weight.T + self.bias)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all. Raises UserError."""
        tensors = {
            "activity.weight": self.activity.weight.numpy(),
            "activity.bias": np.array([self.activity.bias], np.float32),
            "kind.weight": self.weight,
            "kind.bias": self.bias,
        }
        with written_beside(path) as beside:
            save_file(tensors, beside, {"format": FORMAT, "classifier": self.classifier})

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "VocalBursts":
        """Raises UserError where the file is missing, damaged or something else."""
        try:
            with safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name).astype(np.float32) for name in _SHAPES}
            if metadata["format"] != FORMAT or any(tensors[name].shape != shape for name, shape in _SHAPES.items()):
                raise ValueError("another format")
            activity = Activity(torch.from_numpy(tensors["activity.weight"]), float(tensors["activity.bias"][0]))
            return cls(activity, tensors["kind.weight"], tensors["kind.bias"], metadata["classifier"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise UserError(
                f"{path} does not hold what hears vocal bursts ({' '.join(str(error).split())[:100]}); "
                "restore it from the repository"
            ) from error
