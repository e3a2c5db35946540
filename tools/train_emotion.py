"""Trains the listener on corpora of acted speech and measures it on strangers.

    python -m tools.train_emotion --data ../shared/data/speech --folds            # five folds, no speaker on both sides
    python -m tools.train_emotion --data ../shared/data/speech --leave-corpus-out  # each corpus by a network that never heard it
    python -m tools.train_emotion --data ../shared/data/speech --ship             # on everything, into models/emotion/weights

First a network learns from the vectors that the published speech encoder makes; then, for --adapt steps, both learn together
(tools/adapt_encoder.py), and a few hidden units go (tools/thin_network.py). Features, the windows' vectors and each network that
is finished are kept in --work, so an interrupted run goes on where it was. Calibration (--ship) uses the verdicts on corpora
that were left out: a performer is none of these speakers, and her language and microphone are none of theirs. `--data` may be
folders with a manifest.csv, or RAVDESS, CREMA-D, EMO-DB, TESS, SAVEE, MEAD, nEMO or EMOVO as they are published; see
tools/emotion_corpus.py.
"""

import argparse
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.descent import cosine_pace, descend, share_kept
from models.emotion.classifier import WEIGHTS
from models.emotion.network import N_HIDDEN, EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.trained import Trained
from models.errors import UserError, exit_on_user_error
from models.files import make_folder, written_beside
from models.labels import EMOTIONS
from tools.adapt_encoder import VoiceBatches, adapt
from tools.emotion_embeddings import Examples
from tools.emotion_figures import fit_temperature
from tools.emotion_loss import STEEPEST, emotion_loss
from tools.emotion_study import N_FOLDS, Study, Tell, heard_by, prepare
from tools.figures_file import add_json, check_json, write_json
from tools.ranges import add_threads, whole
from tools.stranger_figures import figures, show
from tools.thin_network import thinned
from tools.training_curves import curves_in, no_curve

_BATCH: Final = 256
MODES: Final = {"stranger": 0.0, "known": 60.0}
"""How the test voices are met: seconds of the voice's other clips that make its mean."""
_LEARNING_RATE: Final = 1e-3
_AVERAGE: Final = 0.998  # of the weights, per step
_SHIFT_OF_OTHERS: Final = 0.7
"""How far an emotion moves a voice that an adapted encoder has not learnt from, beside those it has: measured on the folds."""
_UNITS: Final = 256  # hidden while the network learns; then it is thinned
_THINNED_BY: Final = 40  # batches that it is thinned by
_CURVE_STEPS: Final = 50  # between the points of a curve
_WARM_UP: Final = 100  # steps; a quarter of a very short training

Floats = NDArray[np.float32]


def train(
    study: Study,
    among: NDArray[np.int64],
    n_samples: int,
    seed: int,
    tell: Callable[[int, int], None],
    curve: Callable[[int, float], None] = lambda step, loss: None,
) -> EmotionNetwork:
    """A network trained on the clips `among`; the average of its weights over the last steps. `tell` hears how many of how many
    steps are done, `curve` the loss at every fiftieth."""
    torch.manual_seed(seed)
    network, average = EmotionNetwork(_UNITS), EmotionNetwork(_UNITS)
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
            group["lr"] = _LEARNING_RATE * warm * cosine_pace(step / n_steps) + 1e-5
        verdict = network(batch.embedding, batch.centre, batch.known)
        loss = emotion_loss(verdict, batch.probabilities, batch.intensity)
        descend(loss, network, optimizer, average, share_kept(step, _AVERAGE), STEEPEST)
        if step % _CURVE_STEPS == 0:
            curve(step, float(loss.detach()))
        tell(step + 1, n_steps)
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


def trained_on(
    study: Study, name: str, among: NDArray[np.int64], test: NDArray[np.int64], args: argparse.Namespace, tell: Tell
) -> tuple[Trained, Study]:
    """Network and encoder trained on the clips `among`, and the study with the clips `test` as that encoder hears them."""
    network = train(
        study,
        among,
        args.samples,
        args.seed,
        lambda done, n: tell(name, done, n),
        lambda step, loss: args.curve(f"loss/{name}", step, loss),
    )

    def thin(network: EmotionNetwork, examples: Examples) -> EmotionNetwork:
        return thinned(network, islice(examples.batches(among, network.mean.numpy(), _BATCH, args.seed), _THINNED_BY))

    if args.adapt == 0:
        return Trained(thin(network, study.examples), SpeechEncoder.published(), study.examples.identity(among)), study
    batches = VoiceBatches(study.recorded, among, args.seed)
    labels = study.examples.probabilities, torch.from_numpy(study.examples.intensity)
    network, encoder = adapt(network, batches, *labels, args.adapt, args.seed, lambda done, n: tell(f"{name}, encoder", done, n))
    examples = heard_by(encoder, study, among, test)
    network.shifts.copy_(_SHIFT_OF_OTHERS * examples.shifts(among))
    return Trained(thin(network, examples), encoder, study.examples.identity(among)), replace(study, examples=examples)


def run(
    study: Study, name: str, among: NDArray[np.int64], test: NDArray[np.int64], args: argparse.Namespace, tell: Tell
) -> dict[str, Floats]:
    """Train network `name`, or find it finished, and its verdicts on the clips `test` in every mode. Raises UserError where
    there is nothing to train on."""
    if not study.examples.any_of(among):
        raise UserError(f"nothing is left to train {name} on; give corpora of several speakers, and to leave corpora out several")
    weights = _place(args, name)
    answers = weights.with_suffix(".npz")
    weights.parent.mkdir(parents=True, exist_ok=True)
    made_of = _made_of(study, among, test, args)
    if not (answers.exists() and weights.exists()) or str(np.load(answers).get("made_of", "")) != made_of:
        trained, heard = trained_on(study, name, among, test, args, tell)
        trained.save(weights)
        found: dict[str, Any] = {mode: verdicts(trained.network, heard, test, seconds) for mode, seconds in MODES.items()}
        with written_beside(answers) as beside, beside.open("wb") as stream:
            np.savez(stream, made_of=np.array(made_of), **found)
    stored = np.load(answers)
    return {mode: stored[mode] for mode in MODES}


def _place(args: argparse.Namespace, name: str) -> Path:
    """Where network `name` is kept; those of other seeds than 0 stand beside it."""
    place: Path = args.work / "runs" / f"{'' if args.seed == 0 else f'seed{args.seed}-'}{name}.safetensors"
    return place


def _made_of(study: Study, among: NDArray[np.int64], test: NDArray[np.int64], args: argparse.Namespace) -> str:
    """What a network and its verdicts follow from, in 64 hex digits: a run with other clips or settings is another one."""
    settings = str((args.samples, args.seed, args.copies, args.adapt, N_HIDDEN))
    parts = [settings, *(repr(study.clips[i]) for i in among), "heard:", *map(str, test)]
    return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()


def table(study: Study, answers: dict[str, Floats], among: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """`stranger_figures.figures` of each mode."""
    clips, fold = [study.clips[i] for i in among], study.fold[among]
    return {mode: figures(clips, answer, fold) for mode, answer in answers.items()}


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
    trained = Trained.load(_place(args, "all"), "train it again")
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    replace(trained, temperature=(temperatures[0], temperatures[1])).save(WEIGHTS)


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
    parser.add_argument(
        "--samples", type=whole("--samples", _BATCH), default=200_000, metavar="N", help="windows shown to each network"
    )
    parser.add_argument(
        "--adapt",
        type=whole("--adapt", 0),
        default=300,
        metavar="N",
        help="steps in which the encoder learns too; 0: it stays as published",
    )
    parser.add_argument(
        "--copies", type=whole("--copies"), default=6, metavar="N", help="recording conditions, the original included"
    )
    parser.add_argument(
        "--seed",
        type=whole("--seed", 0, 2**32 - 1),
        default=0,
        help="networks of other seeds are kept beside those of 0, the default",
    )
    add_threads(parser)
    add_json(parser)
    parser.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write each network's loss there (needs the package tensorboard)"
    )
    args = parser.parse_args(argv)
    if not (args.folds or args.leave_corpus_out or args.ship):
        raise UserError("nothing to do: give --folds, --leave-corpus-out or --ship")
    make_folder(args.work)
    check_json(args.json)
    args.curve = curves_in(args.tensorboard) if args.tensorboard else no_curve
    torch.set_num_threads(args.threads)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found: dict[str, Any] = {"samples": args.samples, "seed": args.seed, "copies": args.copies, "adapt": args.adapt}
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        study = prepare(args.data, args.work, args.copies, tell)
        if args.folds:
            found["folds"] = table(study, *cross_validate(study, args, tell))
            show(console, "Five folds, strangers to the network", found["folds"])
        if args.leave_corpus_out:
            found["leave_corpus_out"] = table(study, *leave_corpora_out(study, args, tell))
            show(console, "Corpus left out", found["leave_corpus_out"])
        if args.ship:
            ship(study, args, tell)
            console.print(
                f"wrote {WEIGHTS}; reflexes and bursts are not heard until tools.train_bursts has learnt them from its vectors"
            )
    write_json(args.json, found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
