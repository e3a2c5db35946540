"""Trains the listener on corpora of acted speech and measures it on strangers.

    python -m tools.train_emotion --data ../shared/data/speech --folds            # five folds, no speaker on both sides
    python -m tools.train_emotion --data ../shared/data/speech --leave-corpus-out  # each corpus by a network that never heard it
    python -m tools.train_emotion --data ../shared/data/speech --ship             # on everything, into models/emotion/weights

Features, the windows' vectors and each network that is finished are kept in --work, so an interrupted run goes on where it
was. Calibration (--ship) uses the verdicts on corpora that were left out: a performer is none of these speakers, and her
language and microphone are none of theirs. `--data` may be folders with a manifest.csv, or RAVDESS, CREMA-D, EMO-DB, TESS, SAVEE,
MEAD, nEMO or EMOVO as they are published; see tools/emotion_corpus.py.
"""

import argparse
import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.emotion.classifier import WEIGHTS
from models.emotion.embedding import WindowEmbedding
from models.emotion.front_end import FrontEnd
from models.emotion.hearing import EXCITED
from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.errors import UserError, exit_on_user_error
from models.files import make_folder, written_beside
from models.labels import EMOTIONS
from tools.emotion_corpus import Clip, FeatureCache, read_corpus
from tools.emotion_embeddings import Embedded, Examples, embed, joined
from tools.emotion_examples import Windows, test_windows, training_windows
from tools.emotion_figures import binary_recall, fit_temperature, intensity_correlation, unweighted_average_recall

N_FOLDS: Final = 5
_BATCH: Final = 256
MODES: Final = {"stranger": 0.0, "known": 60.0}
"""How the test voices are met: seconds of the voice's other clips that make its mean."""
_AROUSAL_WEIGHT: Final = 0.4
_INTENSITY_WEIGHT: Final = 0.4
_LEARNING_RATE: Final = 1e-3
_LABEL_SMOOTHING: Final = 0.1
_AVERAGE: Final = 0.998  # of the weights, per step
_WARM_UP: Final = 100  # steps; a quarter of a very short training

Floats = NDArray[np.float32]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """The corpora, ready to draw from."""

    clips: list[Clip]
    examples: Examples
    fold: NDArray[np.int64]  # per clip

    def corpora(self) -> list[str]:
        """Names, speech and song of the same speakers as one."""
        return sorted({_family(clip.corpus) for clip in self.clips})

    def of_corpus(self, name: str) -> NDArray[np.int64]:
        """Numbers of the clips of a corpus and of its songs."""
        return np.flatnonzero([_family(clip.corpus) == name for clip in self.clips])


def _family(corpus: str) -> str:
    return corpus.removesuffix("_song")


def folds(clips: list[Clip]) -> NDArray[np.int64]:
    """A fold 0..4 for each clip: speakers of every corpus dealt out in a fixed shuffled order, no speaker in two folds."""
    dealt: dict[str, int] = {}
    for corpus in sorted({_family(clip.corpus) for clip in clips}):
        speakers = sorted({c.speaker for c in clips if _family(c.corpus) == corpus}, key=lambda name: zlib.crc32(name.encode()))
        dealt |= {speaker: i % N_FOLDS for i, speaker in enumerate(speakers) if speaker not in dealt}
    return np.array([dealt[clip.speaker] for clip in clips])


def prepare(places: Sequence[Path], work: Path, n_copies: int, tell: Tell) -> Study:
    """Read what `read_corpus` finds, decode, compute features or find them in `work`. Raises UserError if the data cannot be
    used."""
    embedding = WindowEmbedding(FrontEnd(), SpeechEncoder.load())
    everybody: list[Clip] = []
    training: list[list[Embedded]] = [[] for _ in range(n_copies)]
    test: list[Embedded] = []
    for place in places:
        clips, complaints = read_corpus(place)
        for complaint in complaints:
            Console(stderr=True).print(f"skipped {complaint}", soft_wrap=True)
        if not clips:
            raise UserError(f"none of the {len(complaints)} rows of {place} can be used; see the reasons above")
        found = _Vectors(embedding, clips, work, tell)
        for k, copy in enumerate(training):
            copy.append(found.training(k).after(len(everybody)))
        test.append(found.test().after(len(everybody)))
        everybody += clips
    return Study(everybody, Examples(everybody, [joined(copy) for copy in training], joined(test)), folds(everybody))


class _Vectors:
    """Of the clips of one manifest, found in `work` or computed."""

    def __init__(self, embedding: WindowEmbedding, clips: list[Clip], work: Path, tell: Tell) -> None:
        self._embedding, self._clips, self._tell = embedding, clips, tell
        self._cache = FeatureCache(clips, work / "features", lambda what, done: tell(what, done, len(clips)))

    def training(self, copy: int) -> Embedded:
        """One window of every clip with enough speech, recorded as copy `copy` is."""
        return self._kept(f"copy{copy}", lambda: training_windows(self._clips, self._cache.copy(copy), seed=copy))

    def test(self) -> Embedded:
        """Every clip as recorded, in windows one second apart."""
        return self._kept("test", lambda: test_windows(self._clips, self._cache.copy(0)))

    def _kept(self, kind: str, windows: Callable[[], Iterator[Windows]]) -> Embedded:
        def told() -> Iterator[Windows]:
            for part in windows():
                self._tell(f"vectors of {kind}", int(part.clips.max()), len(self._clips))
                yield part

        return Embedded(*self._cache.kept(f"embedded-{kind}", Embedded._fields, lambda: embed(self._embedding, told())))


def train(study: Study, among: NDArray[np.int64], n_samples: int, seed: int, tell: Callable[[int, int], None]) -> EmotionNetwork:
    """A network trained on the clips `among`; the average of its weights over the last steps."""
    torch.manual_seed(seed)
    network, average = EmotionNetwork(), EmotionNetwork()
    mean, std = study.examples.statistics(among)
    network.mean.copy_(mean)
    network.std.copy_(std)
    network.shifts.copy_(study.examples.shifts(among))
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=0.05)
    n_steps = n_samples // _BATCH
    network.train()
    for step, batch in enumerate(study.examples.batches(among, mean.numpy(), _BATCH, seed)):
        if step == n_steps:
            break
        for group in optimizer.param_groups:
            warm = min(1.0, step / min(_WARM_UP, 0.25 * n_steps))
            group["lr"] = _LEARNING_RATE * warm * (0.5 + 0.5 * math.cos(math.pi * step / n_steps)) + 1e-5
        verdict = network(batch.embedding, batch.centre, batch.known)
        excited = batch.probabilities @ torch.tensor(EXCITED)
        loss = nn.functional.cross_entropy(verdict.emotion, batch.probabilities, label_smoothing=_LABEL_SMOOTHING)
        loss = loss + _AROUSAL_WEIGHT * nn.functional.binary_cross_entropy_with_logits(verdict.arousal, excited)
        said = batch.intensity >= 0
        if bool(said.any()):
            strong = nn.functional.binary_cross_entropy_with_logits(verdict.intensity[said], batch.intensity[said])
            loss = loss + _INTENSITY_WEIGHT * said.float().mean() * strong
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        keep = min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1.0 - keep)
        if step % 50 == 0:
            tell(step * _BATCH, n_samples)
    return average.eval()


@torch.no_grad()
def verdicts(network: EmotionNetwork, study: Study, among: NDArray[np.int64], seconds: float) -> Floats:
    """Log probabilities, the arousal's logit and the intensity's (clips, 7), each clip's windows averaged."""
    total = np.zeros((len(study.clips), len(EMOTIONS) + 2), np.float64)
    ids, batch = study.examples.test_batch(among, network.mean.numpy(), seconds)
    verdict = network(batch.embedding, batch.centre, batch.known)
    columns = [verdict.emotion.log_softmax(-1), verdict.arousal[:, None], verdict.intensity[:, None]]
    np.add.at(total, ids, torch.cat(columns, dim=-1).numpy())
    return (total[among] / np.bincount(ids, minlength=len(total))[among, None]).astype(np.float32)


def run(
    study: Study, name: str, among: NDArray[np.int64], test: NDArray[np.int64], args: argparse.Namespace, tell: Tell
) -> dict[str, Floats]:
    """Train network `name`, or find it finished, and its verdicts on the clips `test` in every mode. Raises UserError where
    there is nothing to train on."""
    if not study.examples.any_of(among):
        raise UserError(f"nothing is left to train {name} on; give corpora of several speakers, and to leave corpora out several")
    folder = args.work / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    weights, answers = folder / f"{name}.safetensors", folder / f"{name}.npz"
    made_of = _made_of(study, among, test, args)
    if not (answers.exists() and weights.exists()) or str(np.load(answers).get("made_of", "")) != made_of:
        network = train(study, among, args.samples, args.seed, lambda done, n: tell(name, done, n))
        with written_beside(weights) as beside:
            save_file(network.state_dict(), beside)
        found: dict[str, Any] = {mode: verdicts(network, study, test, seconds) for mode, seconds in MODES.items()}
        with written_beside(answers) as beside, beside.open("wb") as stream:
            np.savez(stream, made_of=np.array(made_of), **found)
    stored = np.load(answers)
    return {mode: stored[mode] for mode in MODES}


def _made_of(study: Study, among: NDArray[np.int64], test: NDArray[np.int64], args: argparse.Namespace) -> str:
    """What a network and its verdicts follow from, in 64 hex digits: a run with other clips or settings is another one."""
    parts = [str((args.samples, args.seed, args.copies)), *(repr(study.clips[i]) for i in among), "heard:", *map(str, test)]
    return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()


def table(study: Study, answers: dict[str, Floats], among: NDArray[np.int64]) -> dict[str, Any]:
    """Per mode and corpus: UAR over five classes, and over excited against calm."""
    figures: dict[str, Any] = {}
    for mode, answer in answers.items():
        figures[mode] = {}
        for corpus in sorted({study.clips[i].corpus for i in among}):
            rows = np.array([study.clips[i].corpus == corpus for i in among])
            labels = study.examples.emotion[among[rows]]
            figures[mode][corpus] = {
                "uar": unweighted_average_recall(labels, answer[rows, :5].argmax(1)),
                "excited": binary_recall(labels, answer[rows, 5] > 0),
                "intensity": intensity_correlation(study.examples.intensity[among[rows]], answer[rows, 6]),
                "clips": int(rows.sum()),
            }
    return figures


def show(console: Console, title: str, figures: dict[str, Any]) -> None:
    """Print `table`."""
    console.print(title)
    for mode, corpora in figures.items():
        speech = [f for name, f in corpora.items() if not name.endswith("_song")]
        cells = [f"{name} {f['uar']:.3f} ({f['excited']:.2f})" for name, f in corpora.items()]
        mean = f"mean {np.mean([f['uar'] for f in speech]):.3f} ({np.mean([f['excited'] for f in speech]):.2f})"
        console.print(f"  {mode:9s} " + "  ".join([*cells, mean]))


def cross_validate(study: Study, args: argparse.Namespace, tell: Tell) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Verdicts on every clip by the network that did not hear its speaker: (clips, 7) per mode, and the clips' numbers."""
    folds_with_clips = [k for k in range(N_FOLDS) if (study.fold == k).any()]  # of few speakers there are fewer
    tests = [np.flatnonzero(study.fold == k) for k in folds_with_clips]
    parts = [
        run(study, f"fold{k}", np.flatnonzero(study.fold != k), test, args, tell)
        for k, test in zip(folds_with_clips, tests, strict=True)
    ]
    return {mode: np.concatenate([part[mode] for part in parts]) for mode in MODES}, np.concatenate(tests)


def leave_corpora_out(study: Study, args: argparse.Namespace, tell: Tell) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """The same, by networks that did not hear the corpus."""
    tests = [study.of_corpus(name) for name in study.corpora()]
    everything = np.arange(len(study.clips))
    parts = [
        run(study, f"without-{name}", np.setdiff1d(everything, test), test, args, tell)
        for name, test in zip(study.corpora(), tests, strict=True)
    ]
    return {mode: np.concatenate([part[mode] for part in parts]) for mode in MODES}, np.concatenate(tests)


def ship(study: Study, args: argparse.Namespace, tell: Tell) -> None:
    """Train on everything and write the weights the program uses, with temperatures for voices of corpora never heard."""
    answers, among = leave_corpora_out(study, args, tell)
    spoken = np.array([not study.clips[i].corpus.endswith("_song") for i in among])
    labels = study.examples.emotion[among[spoken]]
    temperatures = [fit_temperature(answer[spoken, :5], labels) for answer in answers.values()]
    everything = np.arange(len(study.clips))
    run(study, "all", everything, everything[::50], args, tell)
    state: dict[str, Tensor] = load_file(args.work / "runs" / "all.safetensors")
    state["temperature"] = torch.tensor(temperatures)
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(WEIGHTS) as beside:
        save_file(state, beside)


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+", metavar="FOLDER", help="with a manifest.csv, or a published corpus"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("out/train_emotion"), metavar="FOLDER", help="features and finished networks"
    )
    parser.add_argument("--folds", action="store_true", help="five folds by speaker")
    parser.add_argument("--leave-corpus-out", action="store_true", help="each corpus left out once")
    parser.add_argument("--ship", action="store_true", help="train on everything and write models/emotion/weights")
    parser.add_argument("--samples", type=int, default=100_000, metavar="N", help="windows shown to each network")
    parser.add_argument("--copies", type=int, default=5, metavar="N", help="recording conditions, the original included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args(argv)
    if not (args.folds or args.leave_corpus_out or args.ship):
        raise UserError("nothing to do: give --folds, --leave-corpus-out or --ship")
    for name, least in (("samples", _BATCH), ("copies", 1), ("threads", 1)):
        if getattr(args, name) < least:
            raise UserError(f"--{name} must be at least {least}, got {getattr(args, name)}")
    for folder in (args.work, *([args.json.parent] if args.json else [])):
        make_folder(folder)
    torch.set_num_threads(args.threads)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    figures: dict[str, Any] = {"samples": args.samples, "seed": args.seed, "copies": args.copies}
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        study = prepare(args.data, args.work, args.copies, tell)
        if args.folds:
            figures["folds"] = table(study, *cross_validate(study, args, tell))
            show(console, "Five folds, strangers to the network", figures["folds"])
        if args.leave_corpus_out:
            figures["leave_corpus_out"] = table(study, *leave_corpora_out(study, args, tell))
            show(console, "Corpus left out", figures["leave_corpus_out"])
        if args.ship:
            ship(study, args, tell)
            console.print(f"wrote {WEIGHTS}")
    if args.json:
        with written_beside(args.json) as beside:
            beside.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
