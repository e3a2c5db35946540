"""Which network judges which clip: the shipped one, or for every clip one that never heard its speaker.

`train_emotion --folds` and `--leave-corpus-out` leave their networks in the folder `runs` of their `--work`; given here as
`--networks`, they make every figure one for strangers.
"""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.hearing import Hearing
from models.emotion.own_classifier import OwnClassifier
from models.emotion.trained import Trained
from tools.emotion_corpus import Clip, family
from tools.emotion_study import folds

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
    return f"fold{fold}" if strangers == "folds" else f"without-{family(clip.corpus)}"


def read_network(folder: Path, name: str) -> Trained:
    """The network of that name in a work folder of `train_emotion`. Raises UserError if it is missing or damaged."""
    places = [folder / f"{name}.safetensors", folder / "runs" / f"{name}.safetensors"]
    path = next((place for place in places if place.is_file()), places[-1])
    return Trained.load(path, "make it: python -m tools.train_emotion --folds (or --leave-corpus-out)")


class Listener(Protocol):
    """What is measured: `step` takes the next 100 ms, `reset` forgets what was heard so far."""

    def step(self, samples: NDArray[np.float32]) -> Hearing: ...

    def reset(self) -> None: ...


class Listeners(Protocol):
    """Who hears which clip, and who hears what is no clip."""

    def of(self, clip: Clip) -> Listener: ...

    def shipped(self) -> Listener: ...


class Foreign:
    """Somebody else's classifier, for every clip."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if it is missing or does not fit (`models/emotion/own_classifier.py`)."""
        self._classifier = OwnClassifier(path)

    def of(self, clip: Clip) -> Listener:
        """Always the same one."""
        return self._classifier

    def shipped(self) -> Listener:
        """The same one."""
        return self._classifier


class Networks:
    """Classifiers by name, each loaded when it is first asked for."""

    def __init__(self, clips: Sequence[Clip], args: argparse.Namespace) -> None:
        """`clips`: the whole manifest that was trained on, since the folds follow from it. `args`: of `add_options`."""
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

    def shipped(self) -> EmotionClassifier:
        """That of `--weights`."""
        return self.get("")

    def get(self, name: str) -> EmotionClassifier:
        """The classifier of that name."""
        if name not in self._loaded:
            self._loaded[name] = EmotionClassifier.load(self._weights) if not name else self._read(name)
        return self._loaded[name]

    def _read(self, name: str) -> EmotionClassifier:
        assert self._folder is not None
        trained = read_network(self._folder, name)
        if trained.temperature is None:  # they are fitted on all corpora at once, when the network is shipped
            trained = replace(trained, temperature=Trained.load(self._weights, "name others with --weights").temperature)
        return EmotionClassifier(trained)
