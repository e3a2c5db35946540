"""Which network judges which clip: the shipped one, or for every clip one that never heard its speaker.

`train_emotion --folds` and `--leave-corpus-out` leave their networks in the folder `runs` of their `--work`; given here as
`--networks`, they make every figure one for strangers.
"""

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.voice_activity import SileroNetwork
from models.errors import UserError
from tools.emotion_corpus import Clip
from tools.train_emotion import folds

CHOICES: Final = ("folds", "corpora")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--weights`, `--networks` and `--strangers`."""
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar="FILE", help="the classifier to measure")
    parser.add_argument(
        "--networks",
        type=Path,
        metavar="FOLDER",
        help="judge every clip by a network of `train_emotion` that never heard its speaker",
    )
    parser.add_argument(
        "--strangers", choices=CHOICES, default="folds", help="of --networks: those of --folds, or those of --leave-corpus-out"
    )


def few_voices(clips: Sequence[Clip], n: int) -> list[Clip]:
    """The clips of at most `n` voices of each spoken corpus, always the same ones."""
    chosen = set()
    for corpus in {clip.corpus for clip in clips if not clip.corpus.endswith("_song")}:
        voices = sorted({clip.speaker for clip in clips if clip.corpus == corpus}, key=lambda name: zlib.crc32(name.encode()))
        chosen |= {(corpus, voice) for voice in voices[:n]}
    return [clip for clip in clips if (clip.corpus, clip.speaker) in chosen]


def network_name(strangers: str, clip: Clip, fold: int) -> str:
    """Of the network of `train_emotion` that never heard the clip's speaker (one of CHOICES)."""
    return f"fold{fold}" if strangers == "folds" else f"without-{clip.corpus.removesuffix('_song')}"


def read_network(folder: Path, name: str) -> tuple[EmotionNetwork, Tensor | None]:
    """The network of that name in a work folder of `train_emotion`, and its temperatures if it was shipped.

    Raises UserError if it is missing or damaged."""
    places = [folder / f"{name}.safetensors", folder / "runs" / f"{name}.safetensors"]
    path = next((place for place in places if place.is_file()), places[-1])
    network = EmotionNetwork()
    try:
        state = load_file(path)
        temperature = state.pop("temperature", None)
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise UserError(
            f"no network at {path}; make it: python -m tools.train_emotion --folds (or --leave-corpus-out)"
        ) from error
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise UserError(f"{path} does not hold a network of this version or is damaged; train it again") from error
    return network, temperature


class Networks:
    """Classifiers by name, each loaded when it is first asked for."""

    def __init__(self, clips: Sequence[Clip], args: argparse.Namespace) -> None:
        """`clips`: the whole manifest that was trained on, since the folds follow from it."""
        self._weights: Path = args.weights
        self._folder: Path | None = args.networks
        self._loaded: dict[str, EmotionClassifier] = {}
        self._name = {clip.path: "" for clip in clips}
        if self._folder is not None:
            numbered = zip(clips, folds(list(clips)), strict=True)
            self._name = {clip.path: network_name(args.strangers, clip, int(k)) for clip, k in numbered}

    def name(self, clip: Clip) -> str:
        """Of the network for a clip; empty for the shipped one."""
        return self._name[clip.path]

    def of(self, clip: Clip) -> EmotionClassifier:
        """The classifier for a clip. Raises UserError if its network is missing or damaged."""
        return self.get(self.name(clip))

    def get(self, name: str) -> EmotionClassifier:
        """The classifier of that name."""
        if name not in self._loaded:
            self._loaded[name] = EmotionClassifier.load(self._weights) if not name else self._read(name)
        return self._loaded[name]

    def _read(self, name: str) -> EmotionClassifier:
        assert self._folder is not None
        network, temperature = read_network(self._folder, name)
        # Temperatures are fitted on all folds at once, when the network is shipped.
        stranger, known = (load_file(self._weights)["temperature"] if temperature is None else temperature).tolist()
        return EmotionClassifier(network, SpeechEncoder.load(), SileroNetwork.load(), (stranger, known))
