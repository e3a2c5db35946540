"""Train what hears laughter: `python -m tools.train_laughter --bursts EmoGator/mp3 --data ../shared/data/speech`.

`--bursts` is the folder `mp3` of EmoGator (F. Buhl, arXiv:2301.00508): vocal bursts of 357 people, `NNNNNN-EE-I.mp3`. Its
amusement is laughter; its anger, distress, fear, neutral, pain and sadness are voices that are none, and so is the speech of
the corpora in `--data`. The shipped classifier hears every clip as a show does, and logistic regression tells its vectors of
laughter from the others. A fifth of the people is kept apart first, to see what that is worth, and then learnt from too.
"""

import argparse
import re
import sys
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.emotion import classifier
from models.emotion.classifier import EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.laughter import WEIGHTS, Laughter
from models.emotion.trained import Trained
from models.errors import UserError, exit_on_user_error
from models.files import check_place
from tools.emotion_corpus import decode, read_corpus
from tools.evaluate_emotion import stream
from tools.ranges import whole
from tools.spread import spread

LAUGHTER, BURST, SPEECH = "laughter", "other bursts", "speech"
# Of everything that is learnt from, each clip of a kind alike: laughter is rare, and speech that is taken for it costs most.
SHARES: Final = {LAUGHTER: 0.1, BURST: 0.2, SPEECH: 0.7}
AMUSEMENT: Final = 2
OTHERS: Final = (3, 11, 15, 18, 19, 24)  # anger, distress, fear, neutral, pain, sadness
NAME: Final = re.compile(r"(\d{6})-(\d\d)-(\d)")  # who, what, which time
KEPT_APART: Final = 5  # one person of so many
PENALTY: Final = 0.003  # of the squared weights
STEPS: Final = 100

Floats = NDArray[np.float32]


class Example(NamedTuple):
    """A clip: what it is, and who is heard."""

    path: Path
    kind: str
    person: str


class Vectors(NamedTuple):
    """Of all clips: vectors (n, N_EMBEDDING), and of which clip each is (n,)."""

    values: Floats
    clips: NDArray[np.int64]


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    check_place(options.out, "what hears laughter")
    examples = [*bursts(options.bursts, options.thinned), *speech(options.data, options.every)]
    heard = spread(_listener, vectors_of, examples, options.jobs, "listening")
    vectors = Vectors(np.concatenate(heard), np.repeat(np.arange(len(heard)), [len(each) for each in heard]))
    apart = np.array([zlib.crc32(example.person.encode()) % KEPT_APART == 0 for example in examples])
    identity = _listener().identity
    for line in told(fitted(examples, vectors, ~apart, identity), examples, vectors, apart):
        print(line)
    fitted(examples, vectors, np.ones(len(examples), bool), identity).save(options.out)
    print(f"{len(examples)} clips: written to {options.out}")


def bursts(folder: Path, thinned: int) -> list[Example]:
    """Everybody's first two laughs, and of every `thinned`th person one of each of the others. Raises UserError."""
    found = []
    for path in sorted(folder.glob("*.mp3")):
        if name := NAME.fullmatch(path.stem):
            person, kind, time = name[1], int(name[2]), int(name[3])
            if kind == AMUSEMENT and time <= 2:
                found.append(Example(path, LAUGHTER, person))
            elif kind in OTHERS and time == 1 and int(person) % thinned == 0:
                found.append(Example(path, BURST, person))
    if {example.kind for example in found} != {LAUGHTER, BURST}:
        raise UserError(f"{folder} holds no laughter and other bursts named NNNNNN-EE-I.mp3: name the folder mp3 of EmoGator")
    return found


def speech(folders: list[Path], every: int) -> list[Example]:
    """Every so many clips of the corpora. Raises UserError as `read_corpus`."""
    clips = [clip for folder in folders for clip in read_corpus(folder)[0]]
    return [Example(clip.path, SPEECH, clip.speaker) for clip in clips[::every]]


def _listener() -> EmotionClassifier:
    """The shipped one, to which laughter is speech."""
    return EmotionClassifier(Trained.load(classifier.WEIGHTS, "restore the file from the repository"))


def vectors_of(listener: EmotionClassifier, example: Example) -> Floats:
    """(n, N_EMBEDDING): of the newest speech, at each hop where there is some."""
    listener.reset()
    windows = [listener.window for _ in stream(listener, decode(example.path))]
    return np.array([window.newest for window in windows if window is not None], np.float32).reshape(-1, N_EMBEDDING)


def fitted(examples: list[Example], vectors: Vectors, among: NDArray[np.bool_], identity: str) -> Laughter:
    """Logistic regression on the clips `among`, (clips,), of the vectors at zero mean and unit variance."""
    kinds = np.array([example.kind for example in examples])
    chosen = among[vectors.clips]
    clips = vectors.clips[chosen]
    values = torch.from_numpy(vectors.values[chosen]).double()
    mean, std = values.mean(0), values.std(0).clamp_min(1e-6)
    weights = np.zeros(len(clips))
    for kind, share in SHARES.items():
        of_kind = kinds[clips] == kind
        counts = np.bincount(clips[of_kind], minlength=len(examples)).astype(float)
        weights[of_kind] = share / max(1, (counts > 0).sum()) / counts[clips[of_kind]]
    laughs = torch.from_numpy(kinds[clips] == LAUGHTER).double()
    scaled, weight_of = (values - mean) / std, torch.from_numpy(weights)
    learnt = torch.zeros(N_EMBEDDING + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([learnt], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        odds = scaled @ learnt[:-1] + learnt[-1]
        wrong = F.binary_cross_entropy_with_logits(odds, laughs, weight_of, reduction="sum")
        total = wrong + PENALTY * learnt[:-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    weight = learnt.detach()[:-1] / std
    return Laughter(weight.float().numpy(), float(learnt.detach()[-1] - weight @ mean), identity)


def told(laughter: Laughter, examples: list[Example], vectors: Vectors, among: NDArray[np.bool_]) -> list[str]:
    """A line for each kind: how much of it is taken for laughter."""
    chosen = among[vectors.clips]
    heard = np.array([laughter.heard_in(vector) for vector in vectors.values[chosen]])
    kinds = np.array([example.kind for example in examples])
    of = kinds[vectors.clips[chosen]]
    return [
        f"{kind:12} {int((among & (kinds == kind)).sum())} clips of people kept apart: taken for laughter "
        f"{heard[of == kind].mean():.3f}, surely {(heard[of == kind] > 0.9).mean():.3f}"
        for kind in SHARES
        if (of == kind).any()
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_laughter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--bursts", type=Path, required=True, metavar="DIR", help="the folder mp3 of EmoGator")
    add("--data", type=Path, nargs="+", required=True, metavar="DIR", help="corpora of speech, as for tools.train_emotion")
    add("--every", type=whole("--every"), default=20, metavar="N", help="take every Nth clip of speech (%(default)s)")
    add("--thinned", type=whole("--thinned"), default=3, metavar="N", help="other bursts of every Nth person (%(default)s)")
    add("--out", type=Path, default=WEIGHTS, metavar="FILE", help="(%(default)s)")
    add("--jobs", type=whole("--jobs", 1, 64), default=1, metavar="N", help="processes (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
