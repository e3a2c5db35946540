"""Measures the shipped classifier on labelled recordings, heard as the live program hears them.

    python -m tools.evaluate_emotion --manifest ../shared/data/speech/manifest.csv --json out/emotion.json --plots out/plots
    python -m tools.evaluate_emotion --manifest mine/manifest.csv --known-voice

Every clip is streamed in hops of 100 ms through voice activity, window and network; the verdicts while somebody speaks are
averaged, the later ones, which rest on more speech, with more weight. By default the classifier forgets the voice before
each clip (a stranger); with --known-voice it first hears 30 s of other clips of the same speaker. Its own training speakers
are no strangers to it: figures for strangers are those of `train_emotion --folds` and `--leave-corpus-out`, in docs/emotion.md.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.emotion.classifier import WEIGHTS, EmotionClassifier, Hearing
from models.errors import UserError, exit_on_user_error
from models.labels import EMOTIONS, NEUTRAL
from tools.emotion_corpus import Clip, Sound, decode, read_manifest
from tools.emotion_figures import binary_recall, calibration_error, confusion, unweighted_average_recall

HOP: Final = EmotionClassifier.HOP
_KNOWN_SECONDS: Final = 30.0
_PAUSE: Final = np.zeros(EmotionClassifier.WINDOW, np.float32)  # nothing of the introduction stays in the window


class Heard(NamedTuple):
    """A clip's averaged verdict: `probabilities` (5,), `arousal`, and the times of its hops (seconds of processor time each)."""

    probabilities: NDArray[np.float64]
    arousal: float
    hop_seconds: list[float]


def stream(classifier: EmotionClassifier, sound: Sound) -> Iterator[tuple[Hearing, float]]:
    """What is heard every 100 ms and the processor time it took; the last hop is filled up with silence."""
    padded = np.pad(sound, (0, -len(sound) % HOP))
    for start in range(0, len(padded), HOP):
        begin = time.process_time()
        hearing = classifier.step(padded[start : start + HOP])
        yield hearing, time.process_time() - begin


def hear(classifier: EmotionClassifier, sound: Sound) -> Heard:
    """Stream one clip and average. A clip in which nobody was heard to speak is neutral."""
    heard = list(stream(classifier, sound))
    spoken = [hearing for hearing, _ in heard if hearing.speaking]
    times = [seconds for _, seconds in heard]
    if not spoken:
        return Heard(np.eye(len(EMOTIONS))[NEUTRAL], 0.0, times)
    # A verdict's error shrinks with the speech it rests on, up to a full window.
    weights = np.minimum(np.arange(1, len(spoken) + 1), EmotionClassifier.WINDOW // HOP) ** 2.0
    probabilities = np.average([hearing.probabilities for hearing in spoken], axis=0, weights=weights)
    arousal = np.average([hearing.arousal for hearing in spoken], weights=weights)
    return Heard(probabilities / probabilities.sum(), float(arousal), times)


def introduce(classifier: EmotionClassifier, clip: Clip, others: list[Clip], rng: np.random.Generator) -> None:
    """Let the classifier get to know the voice from some of its other clips; damaged ones are named when their turn comes."""
    seconds = 0.0
    for i in rng.permutation(len(others)):
        if seconds >= _KNOWN_SECONDS:
            break
        if others[i].path != clip.path:
            with contextlib.suppress(UserError):
                sound = decode(others[i].path)
                seconds += len(sound) / EmotionClassifier.SAMPLE_RATE
                for _ in stream(classifier, sound):
                    pass
    for _ in stream(classifier, _PAUSE):
        pass


def figures(labels: NDArray[np.int64], probabilities: NDArray[np.float64], arousal: NDArray[np.float64]) -> dict[str, Any]:
    """What is reported of a group of clips."""
    heard = probabilities.argmax(1)
    return {
        "clips": len(labels),
        "uar": unweighted_average_recall(labels, heard),
        "excited_uar": binary_recall(labels, arousal > 0),
        "calibration_error": calibration_error(probabilities, labels),
        "confusion": confusion(labels, heard).tolist(),
    }


def report(clips: list[Clip], answers: list[Heard]) -> dict[str, Any]:
    """Figures for all clips, per corpus, and the spread over speakers."""
    labels = np.array([clip.emotion for clip in clips])
    probabilities = np.stack([answer.probabilities for answer in answers])
    arousal = np.array([answer.arousal for answer in answers])
    hop_ms = 1_000 * np.concatenate([answer.hop_seconds for answer in answers])

    def of(rows: NDArray[np.bool_]) -> dict[str, Any]:
        return figures(labels[rows], probabilities[rows], arousal[rows])

    corpora, speakers = np.array([clip.corpus for clip in clips]), np.array([clip.speaker for clip in clips])
    return {
        "all": of(np.ones(len(clips), bool)),
        "corpora": {name: of(corpora == name) for name in sorted(set(corpora))},
        "speakers": {name: of(speakers == name)["uar"] for name in sorted(set(speakers))},
        "hop_milliseconds": {"median": float(np.median(hop_ms)), "p95": float(np.quantile(hop_ms, 0.95))},
    }


def show(console: Console, result: dict[str, Any]) -> None:
    """Tables on the terminal."""
    table = Table("corpus", "clips", "UAR", "excited or calm", "calibration error")
    for name, found in [*result["corpora"].items(), ("all", result["all"])]:
        figures = (f"{found[key]:.3f}" for key in ("uar", "excited_uar", "calibration_error"))
        table.add_row(name, str(found["clips"]), *figures)
    console.print(table)
    counts = Table("intended \\ heard", *EMOTIONS)
    for emotion, row in zip(EMOTIONS, result["all"]["confusion"], strict=True):
        counts.add_row(emotion, *map(str, row))
    console.print(counts)
    spread = np.array(list(result["speakers"].values()))
    console.print(f"speakers: {len(spread)}, UAR from {spread.min():.2f} to {spread.max():.2f}, median {np.median(spread):.2f}")
    hops = result["hop_milliseconds"]
    console.print(f"processor time per hop of 100 ms: median {hops['median']:.1f} ms, 95th percentile {hops['p95']:.1f} ms")


def plot(result: dict[str, Any], folder: Path) -> None:
    """Confusion matrix and UAR per corpus as pictures. Raises UserError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise UserError("--plots needs matplotlib; run: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    counts = np.array(result["all"]["confusion"], float)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5))
    axes[0].imshow(share, vmin=0, vmax=1, cmap="Blues")
    axes[0].set_xticks(range(len(EMOTIONS)), EMOTIONS)
    axes[0].set_yticks(range(len(EMOTIONS)), EMOTIONS)
    axes[0].set(xlabel="heard", ylabel="intended", title="share of clips")
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            axes[0].text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    axes[1].barh(list(result["corpora"]), [found["uar"] for found in result["corpora"].values()])
    axes[1].axvline(0.2, color="grey", linestyle=":")
    axes[1].set(xlim=(0, 1), title="unweighted average recall (dotted: chance)")
    figure.tight_layout()
    figure.savefig(folder / "emotion_confusion.png", dpi=110)
    pyplot.close(figure)


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE.csv", help="columns path, corpus, speaker, emotion")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write pictures there (needs matplotlib)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar="FILE")
    parser.add_argument(
        "--known-voice", action="store_true", help=f"let it hear {_KNOWN_SECONDS:.0f} s of the speaker's other clips first"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth clip")
    args = parser.parse_args(argv)
    if args.every < 1:
        raise UserError(f"--every must be at least 1, got {args.every}")
    torch.set_num_threads(1)
    console, rng = Console(), np.random.default_rng(0)
    everybody, complaints = read_manifest(args.manifest)
    classifier = EmotionClassifier.load(args.weights)
    clips, answers = [], []
    for clip in track(everybody[:: args.every], "listening", console=Console(stderr=True)):
        try:
            sound = decode(clip.path)
            classifier.reset()
            if args.known_voice:
                introduce(classifier, clip, [c for c in everybody if c.speaker == clip.speaker], rng)
            answers.append(hear(classifier, sound))
        except UserError as error:
            complaints.append(str(error))
        else:
            clips.append(clip)
    for complaint in complaints:
        print(f"skipped: {complaint}", file=sys.stderr)
    if not clips:
        raise UserError(
            f"none of the {len(everybody) + len(complaints)} rows of {args.manifest} could be used; see the reasons above"
        )
    result = report(clips, answers) | {"skipped": complaints, "known_voice": args.known_voice}
    show(console, result)
    console.print(f"{len(complaints)} rows were skipped")
    if args.plots:
        plot(result, args.plots)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        part = args.json.with_suffix(".part")
        part.write_text(json.dumps(result, indent=1))
        part.replace(args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
