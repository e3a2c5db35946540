"""Measures the classifier on labelled recordings, heard as the live program hears them.

    python -m tools.evaluate_emotion --manifest ../shared/data/speech/manifest.csv --json out/emotion.json --plots out/plots
    python -m tools.evaluate_emotion --manifest ../shared/data/speech/manifest.csv --networks out/train_emotion --everything
    python -m tools.evaluate_emotion --manifest mine/manifest.csv --known-voice

Every clip is streamed in hops of 100 ms through voice activity, window and network; the verdicts while somebody speaks are
averaged, the later ones, which rest on more speech, with more weight; beside it stands their plain mean. Then clips of one voice
are joined to talks: how soon a change of emotion is on the face, and how steady it stays. By default
the classifier forgets the voice before each clip (a stranger); with --known-voice it first hears 30 s of other clips of the same
speaker. Its own training speakers are no strangers to the shipped network: with --networks each clip is heard by a network that
never heard its speaker. --classifier measures somebody else's.
"""

import argparse
import contextlib
import functools
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from models.emotion.classifier import EmotionClassifier
from models.emotion.hearing import PLEASANT, Hearing
from models.errors import UserError, exit_on_user_error
from models.labels import EMOTIONS, NEUTRAL
from realtime.settings import Expression
from realtime.values import Heard as Verdict
from tools import emotion_networks, emotion_report, emotion_talks
from tools.emotion_conditions import CONDITIONS, NO_VOICE
from tools.emotion_corpus import Clip, Sound, decode, read_corpus
from tools.emotion_figures import (
    binary_recall,
    calibration_error,
    confusion,
    pleasant_recall,
    reliability,
    unweighted_average_recall,
)
from tools.emotion_layouts import SOUND_SUFFIXES
from tools.emotion_networks import Foreign, Listener, Listeners, Networks
from tools.figures_file import add_json, check_json, write_json
from tools.ranges import THREADS, whole
from tools.skipped import Skipped
from tools.spread import spread

HOP: Final = EmotionClassifier.HOP
_KNOWN_SECONDS: Final = 30.0
_NO_VOICE_SECONDS: Final = 20.0  # of each
_PAUSE: Final = np.zeros(EmotionClassifier.WINDOW, np.float32)  # nothing of the introduction stays in the window


class Heard(NamedTuple):
    """A clip's averaged verdict: `probabilities` (5,), the late hops counting most, `arousal`, the times of its hops (seconds of
    processor time each), the plain mean (5,) while somebody speaks, and whether anybody was heard to speak."""

    probabilities: NDArray[np.float64]
    arousal: float
    hop_seconds: list[float]
    plain_mean: NDArray[np.float64]
    anybody: bool = True


def stream(classifier: Listener, sound: Sound) -> Iterator[tuple[Hearing, float]]:
    """What is heard every 100 ms and the processor time it took; the last hop is filled up with silence."""
    padded = np.pad(sound, (0, -len(sound) % HOP))
    for start in range(0, len(padded), HOP):
        begin = time.process_time()
        hearing = classifier.step(padded[start : start + HOP])
        yield hearing, time.process_time() - begin


def hear(classifier: Listener, sound: Sound) -> Heard:
    """Stream one clip and average. A clip in which nobody was heard to speak is neutral."""
    heard = list(stream(classifier, sound))
    spoken = [hearing for hearing, _ in heard if hearing.speaking]
    times = [seconds for _, seconds in heard]
    if not spoken:
        neutral = np.eye(len(EMOTIONS))[NEUTRAL]
        return Heard(neutral, 0.0, times, neutral, anybody=False)
    # A verdict gets better with the speech it rests on, up to a full window: those on the first words hardly count.
    weights = np.minimum(np.arange(1, len(spoken) + 1), EmotionClassifier.WINDOW // HOP) ** 8.0
    probabilities = np.average([hearing.probabilities for hearing in spoken], axis=0, weights=weights)
    arousal = np.average([hearing.arousal for hearing in spoken], weights=weights)
    plain_mean = np.stack([hearing.probabilities for hearing in spoken]).mean(0, dtype=np.float64)
    return Heard(probabilities / probabilities.sum(), float(arousal), times, plain_mean)


def introduce(classifier: Listener, clip: Clip, others: list[Clip], rng: np.random.Generator) -> None:
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


def figures(clips: Sequence[Clip], answers: Sequence[Heard]) -> dict[str, Any]:
    """What is reported of a group of clips."""
    labels = np.array([clip.emotion for clip in clips])
    probabilities = np.stack([answer.probabilities for answer in answers])
    heard = probabilities.argmax(1)
    return {
        "clips": len(labels),
        "nobody_heard": sum(not answer.anybody for answer in answers),
        "uar": unweighted_average_recall(labels, heard),
        "uar_of_plain_mean": unweighted_average_recall(labels, np.array([answer.plain_mean.argmax() for answer in answers])),
        "excited_uar": binary_recall(labels, np.array([answer.arousal > 0 for answer in answers])),
        "pleasant_uar": pleasant_recall(labels, probabilities @ PLEASANT),
        "calibration_error": calibration_error(probabilities, labels),
        "reliability": reliability(probabilities, labels),
        "confusion": confusion(labels, heard).tolist(),
    }


def report(clips: Sequence[Clip], answers: Sequence[Heard]) -> dict[str, Any]:
    """Figures for all clips, per corpus, and the spread over speakers."""
    hop_ms = 1_000 * np.concatenate([answer.hop_seconds for answer in answers])

    def by(key: Callable[[Clip], str]) -> dict[str, dict[str, Any]]:
        groups: dict[str, list[tuple[Clip, Heard]]] = defaultdict(list)
        for clip, answer in zip(clips, answers, strict=True):
            groups[key(clip)].append((clip, answer))
        return {name: figures(*zip(*groups[name], strict=True)) for name in sorted(groups)}

    return {
        "all": figures(clips, answers),
        "corpora": by(lambda clip: clip.corpus),
        "speakers": {name: found["uar"] for name, found in by(lambda clip: "/".join(clip.voice)).items()},
        "hop_milliseconds": {"median": float(np.median(hop_ms)), "p95": float(np.quantile(hop_ms, 0.95))},
    }


class Task(NamedTuple):
    """One clip to hear: through which condition ("" = as it is), after which others of the voice."""

    clip: Clip
    condition: str
    others: list[Clip]


def work(networks: Listeners, task: Task) -> Heard | str:
    """The clip's verdict, or why there is none."""
    classifier = networks.of(task.clip)
    seed = zlib.crc32(task.clip.path.name.encode())
    try:
        sound = decode(task.clip.path)
    except UserError as error:
        return str(error)
    if task.condition:
        sound = CONDITIONS[task.condition](sound, np.random.default_rng(seed))
    classifier.reset()
    if task.others:
        introduce(classifier, task.clip, task.others, np.random.default_rng(seed))
    return hear(classifier, sound)


HearAll = Callable[[list[emotion_talks.Talk], str], list[list[Verdict]]]
"""The verdicts on each of some talks; the name is that of what is done."""


class TalkTask(NamedTuple):
    """A talk to hear, after which other clips of the voice (none = a stranger)."""

    talk: emotion_talks.Talk
    others: list[Clip]


def hear_talk(networks: Listeners, task: TalkTask) -> list[Verdict]:
    """A talk's verdicts by a network that fits it, from a fresh start or after what it heard of the voice before."""
    classifier = networks.of(task.talk.clip)
    classifier.reset()
    if task.others:
        seed = zlib.crc32(task.talk.clip.path.name.encode())
        introduce(classifier, task.talk.clip, task.others, np.random.default_rng(seed))
    return emotion_talks.hear(classifier, task.talk)


def robustness(plain: dict[str, Any], changed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Per condition: UAR per corpus, their mean, and how much of it was lost against the clips as they are."""
    result = {}
    for name, report in {"as it is": plain, **changed}.items():
        uar = {corpus: found["uar"] for corpus, found in report["corpora"].items() if not corpus.endswith("_song")}
        lost = [plain["corpora"][corpus]["uar"] - value for corpus, value in uar.items()]
        result[name] = {
            "corpora": uar,
            "mean": float(np.mean(list(uar.values()))),
            "lost": float(np.mean(lost)),
            "worst": max(lost),
        }
    return result


def no_voice(classifier: Listener, sounds: Mapping[str, Iterable[Sound]]) -> dict[str, Any]:
    """What is heard in sounds that are no speech, kind by kind, each sound from a fresh start: share of the time at which
    anybody seems to speak, and what is shown."""
    result = {}
    for name, of_kind in sounds.items():
        heard: list[Hearing] = []
        for sound in of_kind:
            classifier.reset()
            heard += [h for h, _ in stream(classifier, sound)]
        if not heard:  # no recording of that kind could be read
            continue
        labels = np.bincount([int(h.probabilities.argmax()) for h in heard], minlength=len(EMOTIONS)) / len(heard)
        result[name] = {
            "speaking": float(np.mean([h.speaking for h in heard])),
            "confidence": float(np.mean([h.confidence for h in heard])),
            "heard": dict(zip(EMOTIONS, labels.tolist(), strict=True)),
        }
    return result


def made_up(seconds: float) -> dict[str, list[Sound]]:
    """Of each kind of `NO_VOICE` one."""
    return {name: [make(seconds, np.random.default_rng(0))] for name, make in NO_VOICE.items()}


def recorded(folder: Path, skipped: Skipped) -> dict[str, Iterator[Sound]]:
    """Of each folder in it, its recordings, but for those that turn out to be damaged. Raises UserError where there are none."""
    files: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SOUND_SUFFIXES and file.parent != folder:
            files[file.relative_to(folder).parts[0]].append(file)
    if not files:
        raise UserError(f"{folder} holds no folders of recordings, one for each kind of sound; make some, or name another")
    return {name: _readable(those, skipped) for name, those in files.items()}


def _readable(files: Sequence[Path], skipped: Skipped) -> Iterator[Sound]:
    for file in files:
        try:
            yield decode(file)
        except UserError as error:
            skipped.add(str(error))


def timing(args: argparse.Namespace, clips: Sequence[Clip], hear_all: HearAll, skipped: Skipped) -> dict[str, Any]:
    """Figures of talks that change and of steady ones; of what can't be made of these clips, why."""
    few = emotion_networks.few_voices(clips, args.voices)
    found: dict[str, Any] = {}
    heard: dict[str, tuple[list[emotion_talks.Talk], list[list[Verdict]]]] = {}
    for name, talks, of in (
        ("changes", emotion_talks.changes(few, args.changes, skipped), emotion_talks.change_figures),
        ("steady", emotion_talks.steady(few, skipped), emotion_talks.steady_figures),
    ):
        if made := list(talks):
            heard[name] = made, hear_all(made, name)
            found[name] = of(*heard[name], Expression())
        else:
            found[f"no_{name}"] = emotion_talks.TOO_FEW[name]
    if len(heard) == 2:
        found["by_attack"] = emotion_talks.by_attack(heard["changes"], heard["steady"], Expression())
    return found


def add_extras(parser: argparse.ArgumentParser) -> None:
    """What else can be measured."""
    parser.add_argument("--robustness", action="store_true", help="also through " + ", ".join(CONDITIONS))
    parser.add_argument(
        "--timing",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="talks of changing and of steady emotion, and neutral talk, joined from the clips (default: they are measured)",
    )
    parser.add_argument("--non-speech", action="store_true", help="also " + ", ".join(NO_VOICE) + ", all made up")
    parser.add_argument(
        "--non-speech-in", type=Path, metavar="FOLDER", help="also recordings that are no speech, each folder in it of one kind"
    )
    parser.add_argument("--everything", action="store_true", help="also both --robustness and --non-speech")
    parser.add_argument("--voices", type=whole("--voices"), default=2, metavar="N", help="of each corpus, for talks (default: 2)")
    parser.add_argument("--changes", type=whole("--changes"), default=5, metavar="N", help="of emotion, per voice (default: 5)")


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE.csv", help="or a folder of tools/emotion_corpus.py")
    parser.add_argument(
        "--classifier", type=Path, metavar="FILE.onnx", help="measure somebody else's, as run_live takes it, instead of ours"
    )
    add_json(parser)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write pictures there (needs matplotlib)")
    emotion_networks.add_options(parser)
    parser.add_argument(
        "--known-voice", action="store_true", help=f"let it hear {_KNOWN_SECONDS:.0f} s of the speaker's other clips first"
    )
    parser.add_argument("--every", type=whole("--every"), default=1, metavar="N", help="only every Nth clip")
    parser.add_argument("--jobs", type=whole("--jobs", 1, THREADS), default=1, metavar="N", help="processes")
    add_extras(parser)
    args = parser.parse_args(argv)
    if args.classifier and (args.networks or args.known_voice):
        raise UserError("--classifier is one network that knows no voices; leave out --networks and --known-voice")
    check_json(args.json)
    if args.plots:
        emotion_report.check_plots(args.plots)
    console = Console()
    everybody, skipped = read_corpus(args.manifest)
    others: dict[str, Iterable[Sound]] = dict(recorded(args.non_speech_in, skipped)) if args.non_speech_in else {}
    prepare: Callable[[], Listeners] = functools.partial(Networks, everybody, args)
    if args.classifier:
        Foreign(args.classifier)  # what is wrong with it is told before anything is heard
        prepare = functools.partial(Foreign, args.classifier)
    voices: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in everybody if args.known_voice else []:
        voices[clip.voice].append(clip)

    def measure(condition: str) -> dict[str, Any] | None:
        tasks = [Task(c, condition, voices[c.voice]) for c in everybody[:: args.every]]
        found = spread(prepare, work, tasks, args.jobs, condition or "listening")
        if not condition:
            skipped.extend(answer for answer in found if isinstance(answer, str))
        pairs = [(task.clip, answer) for task, answer in zip(tasks, found, strict=True) if isinstance(answer, Heard)]
        return report(*map(list, zip(*pairs, strict=True))) if pairs else None

    plain = measure("")
    skipped.tell()
    if plain is None:
        raise UserError(f"none of the {skipped.count} rows of {args.manifest} could be used; see the reasons above")
    result = plain | {"known_voice": args.known_voice}
    if args.robustness or args.everything:
        changed = {name: found for name in CONDITIONS if (found := measure(name)) is not None}
        result["robustness"] = robustness(plain, changed)
    if args.timing:

        def hear_all(talks: list[emotion_talks.Talk], what: str) -> list[list[Verdict]]:
            return spread(prepare, hear_talk, [TalkTask(talk, voices[talk.clip.voice]) for talk in talks], args.jobs, what)

        result |= timing(args, everybody, hear_all, skipped)
    if args.non_speech or args.everything:
        others |= made_up(_NO_VOICE_SECONDS)
    if others:
        result["no_voice"] = no_voice(prepare().shipped(), others)
    skipped.tell()
    result["skipped"] = skipped.lines
    emotion_report.show(console, result)
    console.print(f"{skipped.count} rows were skipped")
    write_json(args.json, result)
    if args.plots:
        emotion_report.plot(result, args.plots)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
