"""Measures what a voice profile is worth: each speaker enrols with some clips and is heard on her others.

    python -m tools.evaluate_profile --manifest ../shared/data/speech/manifest.csv --networks out/train_emotion

For every speaker two clips of each emotion make a guided profile (and neutral ones of 15 s a plain one), as
`tools.enrol_voice` makes it; her other clips are streamed without a profile, with hers, with that of another speaker, and with
both of these.
Every clip is heard on its own: the running mean starts from the profile each time.
"""

import argparse
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from models.emotion.classifier import EmotionClassifier
from models.emotion.embedding import Encoded
from models.emotion.enrolment import Recording, enrol
from models.emotion.voice_profile import VoiceProfile
from models.errors import UserError, exit_on_user_error
from models.labels import EMOTIONS, NEUTRAL
from tools import emotion_networks
from tools.emotion_corpus import Clip, Sound, decode, read_corpus
from tools.emotion_figures import calibration_error, unweighted_average_recall
from tools.emotion_networks import Networks
from tools.evaluate_emotion import hear
from tools.figures_file import add_json, check_json, write_json
from tools.ranges import THREADS, whole
from tools.spread import spread

KINDS: Final = ("none", "plain", "guided", "another's", "hers and another's")
_PER_EMOTION: Final = 2
_PLAIN_SECONDS: Final = 15.0
_CLIP_SECONDS: Final = 2.0  # of speech in a clip, about
_LEAST_OTHERS: Final = 2  # clips of each emotion that are left to test


class Voice(NamedTuple):
    """One speaker of one corpus: clips to enrol with, plainly and guided, and clips to be heard."""

    name: str
    corpus: str
    plain: list[Clip]
    guided: list[Clip]
    test: list[Clip]


class Answer(NamedTuple):
    """One clip heard with one kind of profile."""

    kind: str
    voice: str
    corpus: str
    emotion: int
    probabilities: NDArray[np.float64]


def voices(clips: Sequence[Clip], n_test: int, seed: int, *, other_texts: bool) -> Iterator[Voice]:
    """Speakers with enough clips of at least four emotions. `other_texts`: enrol with one text, be heard with others."""
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.corpus, clip.speaker].append(clip)
    for (corpus, speaker), own in sorted(groups.items()):
        rng = np.random.default_rng([seed, len(own), sum(map(ord, speaker))])
        order = [own[i] for i in rng.permutation(len(own))]
        if other_texts:
            text = order[0].sentence
            candidates = [clip for clip in order if clip.sentence == text]
            order = [clip for clip in order if clip.sentence != text]
        else:
            candidates = order
        of = {e: [clip for clip in candidates if clip.emotion == e] for e in range(len(EMOTIONS))}
        guided = [clip for e in of for clip in of[e][:_PER_EMOTION]]
        left = {e: [clip for clip in order if clip.emotion == e and clip not in guided] for e in of}
        plain = of[NEUTRAL][: min(round(_PLAIN_SECONDS / _CLIP_SECONDS), len(of[NEUTRAL]) // 2)]
        if not other_texts:
            left[NEUTRAL] = [clip for clip in left[NEUTRAL] if clip not in plain]
        enough = [e for e in of if len(of[e]) >= _PER_EMOTION and len(left[e]) >= _LEAST_OTHERS]
        if len(enough) >= len(EMOTIONS) - 1 and NEUTRAL in enough:
            yield Voice(speaker, corpus, plain, guided, [clip for e in left for clip in left[e][:n_test]])


class Once:
    """A window is encoded once and remembered: profiles differ only in what is made of it."""

    def __init__(self, embed: Callable[[Tensor, Tensor], Encoded]) -> None:
        self._embed = embed
        self._known: dict[tuple[bytes, bytes], Encoded] = {}

    def __call__(self, frames: Tensor, speech: Tensor) -> Encoded:
        key = frames.numpy().tobytes(), speech.numpy().tobytes()
        if key not in self._known:
            self._known[key] = self._embed(frames, speech)
        return self._known[key]


class Judge:
    """Hears voices with and without profiles; makes each profile once."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._guided: dict[tuple[str, str], VoiceProfile | None] = {}
        self._complaints: list[str] = []

    def guided(self, voice: Voice) -> VoiceProfile | None:
        """The profile from the voice's labelled sentences."""
        key = voice.corpus, voice.name
        if key not in self._guided:
            self._guided[key] = self._enrolled(voice, voice.guided, labelled=True)
        return self._guided[key]

    def answers(self, voice: Voice, other: Voice | None) -> tuple[list[Answer], list[str]]:
        """Every test clip with every kind of profile, and why recordings that were met on the way could not be used."""
        self._complaints = []
        plain = self._enrolled(voice, voice.plain, labelled=False)
        hers, anothers = self.guided(voice), self.guided(other) if other else None
        sets = ((), (plain,), (hers,), (anothers,), (hers, anothers))
        profiles = {kind: tuple(p for p in some if p) for kind, some in zip(KINDS, sets, strict=True) if None not in some}
        answers = judge(self._networks.of(voice.test[0]), voice, self._decoded(voice.test), profiles)
        return answers, self._complaints

    def _enrolled(self, voice: Voice, clips: Sequence[Clip], *, labelled: bool) -> VoiceProfile | None:
        """The profile that these clips make; None where they hold too little speech."""
        recordings = [Recording(sound, clip.emotion if labelled else None) for clip, sound in self._decoded(clips)]
        try:
            return enrol(self._networks.of(voice.test[0]), recordings)
        except UserError:
            return None

    def _decoded(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Sound]]:
        """Those that are sound."""
        for clip in clips:
            try:
                yield clip, decode(clip.path)
            except UserError as error:
                self._complaints.append(str(error))


def judge(
    classifier: EmotionClassifier,
    voice: Voice,
    sounds: Iterable[tuple[Clip, Sound]],
    profiles: dict[str, tuple[VoiceProfile, ...]],
) -> list[Answer]:
    """Every one of a voice's clips with each of these sets of profiles."""
    answers = []
    embed = classifier.embed
    for clip, sound in sounds:
        classifier.embed = Once(embed)
        for kind, some in profiles.items():
            classifier.adopt(*some)
            answers.append(Answer(kind, voice.name, voice.corpus, clip.emotion, hear(classifier, sound).probabilities))
    classifier.embed = embed
    return answers


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Per corpus and kind: UAR over all clips, calibration, and speakers against the same clips without a profile."""
    result: dict[str, Any] = {}
    for corpus in sorted({answer.corpus for answer in answers}):
        by_voice: dict[str, dict[str, float]] = {}
        result[corpus] = {}
        for kind in KINDS:
            rows = [answer for answer in answers if answer.corpus == corpus and answer.kind == kind]
            if not rows:
                continue
            labels, probabilities = np.array([row.emotion for row in rows]), np.stack([row.probabilities for row in rows])
            heard, names = probabilities.argmax(1), np.array([row.voice for row in rows])
            by_voice[kind] = {
                name: unweighted_average_recall(labels[names == name], heard[names == name]) for name in sorted(set(names))
            }
            gains = [uar - by_voice["none"][name] for name, uar in by_voice[kind].items()]
            result[corpus][kind] = {
                "clips": len(rows),
                "uar": unweighted_average_recall(labels, heard),
                "calibration_error": calibration_error(probabilities, labels),
                "neutral_recall": float((heard == labels)[labels == NEUTRAL].sum() / max(1, (labels == NEUTRAL).sum())),
                "worst_speaker": min(by_voice[kind].values()),
                "worst_gain": min(gains),
                "worse_by_2_points": float(np.mean(np.array(gains) < -0.02)),
                "speakers": by_voice[kind],
            }
    return result


def show(console: Console, result: dict[str, Any]) -> None:
    """A table on the terminal."""
    table = Table("corpus", "profile", "clips", "UAR", "calibration error", "neutral recall", "worst speaker", "worst change")
    for corpus, kinds in result.items():
        for kind, found in kinds.items():
            keys = ("uar", "calibration_error", "neutral_recall", "worst_speaker", "worst_gain")
            table.add_row(corpus, kind, str(found["clips"]), *(f"{found[key]:.3f}" for key in keys))
    console.print(table)


def _prepare(args: argparse.Namespace, clips: list[Clip]) -> Judge:
    return Judge(Networks(clips, args))


def _judge(tools: Judge, pair: tuple[Voice, Voice | None]) -> tuple[list[Answer], list[str]]:
    return tools.answers(*pair)


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE.csv", help="or a folder of tools/emotion_corpus.py")
    emotion_networks.add_options(parser)
    parser.add_argument("--corpora", nargs="+", default=["ravdess", "nemo"], metavar="NAME", help="default: ravdess nemo")
    parser.add_argument(
        "--clips", type=whole("--clips"), default=12, metavar="N", help="at most, per speaker and emotion, to be heard"
    )
    parser.add_argument("--other-texts", action="store_true", help="enrol with one sentence's text, be heard with others")
    parser.add_argument("--seed", type=whole("--seed", 0, 2**32 - 1), default=0, help="of the choice of clips")
    parser.add_argument("--jobs", type=whole("--jobs", 1, THREADS), default=1, metavar="N", help="processes")
    add_json(parser)
    args = parser.parse_args(argv)
    check_json(args.json)
    everybody, skipped = read_corpus(args.manifest)
    skipped.tell()
    chosen = [clip for clip in everybody if clip.corpus in args.corpora]
    them = list(voices(chosen, args.clips, args.seed, other_texts=args.other_texts))
    if not them:
        raise UserError(f"no speaker of {', '.join(args.corpora)} in {args.manifest} has clips enough; see --corpora")
    networks = Networks(everybody, args)
    # Somebody else of the same corpus whom the same network does not know, since a profile belongs to one network.
    pairs: list[tuple[Voice, Voice | None]] = []
    for voice in them:
        group = [v for v in them if v.corpus == voice.corpus and networks.name(v.test[0]) == networks.name(voice.test[0])]
        other = group[(group.index(voice) + 1) % len(group)]
        pairs.append((voice, other if other is not voice else None))
    parts = spread(functools.partial(_prepare, args, everybody), _judge, pairs, args.jobs, "listening")
    for _, complaints in parts:
        skipped.extend(complaints)
    skipped.tell()
    answers = [answer for part, _ in parts for answer in part]
    if not answers:
        raise UserError(
            f"none of the recordings of {', '.join(args.corpora)} in {args.manifest} can be used; see the reasons above"
        )
    result = figures(answers)
    show(Console(), result)
    write_json(args.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
