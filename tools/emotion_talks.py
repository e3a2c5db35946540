"""Longer talk made of clips of one voice, and what a face would show of it: how fast, how steady, how neutral.

Clips are cut to their speech and follow each other after a short pause. A talk is heard hop by hop as in a show, and its
verdicts go through the same `Express` that drives the face; the label shown is the largest of the five it tells the face.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.emotion.classifier import EmotionClassifier
from models.emotion.front_end import SAMPLE_RATE
from models.emotion.voice_activity import CHUNK, SileroNetwork, speech_chunks
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL
from realtime.express import Express
from realtime.settings import Expression
from realtime.values import Heard
from tools import emotion_corpus
from tools.emotion_corpus import Clip, Sound, decode
from tools.emotion_figures import unweighted_average_recall
from tools.emotion_networks import Listener
from tools.skipped import Skipped

AFTER_ONSET: Final = (0.5, 1.0, 1.5, 2.0, 3.0)  # seconds
BEFORE: Final = 3.5  # seconds of the emotion before the change: more than a window
AFTER: Final = 4.0  # seconds of the emotion after it
STEADY: Final = 30.0  # seconds of one emotion
ATTACKS: Final = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5)  # seconds, of `expression.attack`: from quick to steady
_PAUSE: Final = 0.3  # seconds between clips, at the loudness of a quiet room
_ROOM: Final = 1e-4
_HOP_SECONDS: Final = EmotionClassifier.HOP / SAMPLE_RATE
_LEAST_CLIPS: Final = 2

TOO_FEW: Final = {
    "changes": f"no voice speaks in two emotions with {_LEAST_CLIPS} clips of each: no changes of emotion were heard",
    "steady": f"no voice has {_LEAST_CLIPS} clips of one emotion: no steady talk was heard",
}
"""Why there are no talks of each kind."""

Labels = NDArray[np.int64]


class Talk(NamedTuple):
    """Sound of one voice: `before` is the emotion until `onset` (seconds), `emotion` from there on."""

    clip: Clip  # whose network hears it
    sound: Sound
    before: int
    emotion: int
    onset: float


def _joined(clips: Sequence[Clip], seconds: float, network: SileroNetwork, skipped: Skipped) -> Sound:
    """The clips' speech one after the other, again from the first if need be, until it lasts that long; empty where there is
    none."""
    rng = np.random.default_rng(0)
    parts: list[Sound] = []
    for _ in range(20):
        for clip in clips:
            if sum(map(len, parts)) >= seconds * SAMPLE_RATE:
                return np.concatenate(parts)[: int(seconds * SAMPLE_RATE)]
            try:
                sound = decode(clip.path)
            except UserError as error:
                skipped.add(str(error))
                continue
            if len(sound) < CHUNK:  # no speech is that short
                continue
            spoken = np.flatnonzero(speech_chunks(emotion_corpus.speech_probabilities(network, [sound])[0]))
            if len(spoken):
                parts.append(sound[spoken[0] * CHUNK : (spoken[-1] + 1) * CHUNK])
                parts.append((_ROOM * rng.normal(size=int(_PAUSE * SAMPLE_RATE))).astype(np.float32))
    return np.concatenate(parts)[: int(seconds * SAMPLE_RATE)] if parts else np.zeros(0, np.float32)


def _voices(clips: Sequence[Clip]) -> Iterator[tuple[np.random.Generator, dict[int, list[Clip]]]]:
    """Every voice's clips by emotion, shuffled; those emotions only of which there is enough."""
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.corpus, clip.speaker].append(clip)
    for (_, speaker), own in sorted(groups.items()):
        rng = np.random.default_rng([len(own), sum(map(ord, speaker))])
        order = [own[i] for i in rng.permutation(len(own))]
        of = {e: [clip for clip in order if clip.emotion == e] for e in range(len(EMOTIONS))}
        yield rng, {e: them for e, them in of.items() if len(them) >= _LEAST_CLIPS}


def changes(clips: Sequence[Clip], per_voice: int, skipped: Skipped) -> Iterator[Talk]:
    """Talks that change from one emotion to another; every voice changes equally often into each of its emotions."""
    network = SileroNetwork.load()
    for rng, of in _voices(clips):
        for number in range(per_voice if len(of) > 1 else 0):
            emotion = list(of)[number % len(of)]
            before = int(rng.choice([e for e in of if e != emotion]))
            pair = [[of[e][i] for i in rng.permutation(len(of[e]))] for e in (before, emotion)]
            sounds = [_joined(c, seconds, network, skipped) for c, seconds in zip(pair, (BEFORE, AFTER), strict=True)]
            if all(map(len, sounds)):
                yield Talk(pair[1][0], np.concatenate(sounds), before, emotion, len(sounds[0]) / SAMPLE_RATE)


def steady(clips: Sequence[Clip], skipped: Skipped) -> Iterator[Talk]:
    """Half a minute of each voice in each emotion."""
    network = SileroNetwork.load()
    for _, of in _voices(clips):
        for emotion in of:
            sound = _joined(of[emotion], STEADY, network, skipped)
            if len(sound):
                yield Talk(of[emotion][0], sound, emotion, emotion, 0.0)


def hear(classifier: Listener, talk: Talk) -> list[Heard]:
    """Its verdicts every 100 ms; the classifier keeps what it knew of the voice."""
    heard = []
    for number in range(len(talk.sound) // EmotionClassifier.HOP):
        found = classifier.step(talk.sound[number * EmotionClassifier.HOP : (number + 1) * EmotionClassifier.HOP])
        t = (number + 1) * _HOP_SECONDS
        known = (found.probabilities, found.confidence, found.speaking, found.arousal, found.valence, found.intensity)
        heard.append(Heard(t, *known))
    return heard


def shown(heard: Sequence[Heard], settings: Expression) -> Labels:
    """The label on the face at the time of every verdict."""
    express = Express(settings)
    labels = []
    for verdict in heard:
        express.hear(verdict)
        labels.append(int(express.step(verdict.t).emotion.argmax()))
    return np.array(labels, np.int64)


def at(labels: Labels, seconds: float) -> int:
    """The label at that time of a talk."""
    return int(labels[min(len(labels) - 1, max(0, round(seconds / _HOP_SECONDS) - 1))])


def time_to_label(talk: Talk, labels: Labels) -> float:
    """Seconds from the change to the first moment its label is shown; infinite if it never is."""
    for number, label in enumerate(labels):
        t = (number + 1) * _HOP_SECONDS
        if t > talk.onset and label == talk.emotion:
            return t - talk.onset
    return np.inf


def change_figures(talks: Sequence[Talk], heard: Sequence[Sequence[Heard]], settings: Expression) -> dict[str, Any]:
    """Right after a change: UAR of the verdict and of the shown label at AFTER_ONSET, and how long the right label takes."""
    labels = np.array([talk.emotion for talk in talks])
    on_face = [shown(verdicts, settings) for verdicts in heard]
    verdict = [np.array([int(v.probabilities.argmax()) for v in verdicts], np.int64) for verdicts in heard]

    def curve(answers: Sequence[Labels]) -> dict[str, float]:
        found = {t: np.array([at(a, talk.onset + t) for a, talk in zip(answers, talks, strict=True)]) for t in AFTER_ONSET}
        return {str(t): unweighted_average_recall(labels, there) for t, there in found.items()}

    times = np.array([time_to_label(talk, answer) for talk, answer in zip(talks, on_face, strict=True)])
    arrived = times[np.isfinite(times)]
    return {
        "changes": len(talks),
        "uar_heard": curve(verdict),
        "uar_shown": curve(on_face),
        "arrives": len(arrived) / len(talks),
        "median_seconds": None if len(arrived) * 2 < len(talks) else float(np.median(times)),
        "median_seconds_of_those_that_arrive": float(np.median(arrived)) if len(arrived) else None,
    }


def steady_figures(talks: Sequence[Talk], heard: Sequence[Sequence[Heard]], settings: Expression) -> dict[str, Any]:
    """While nothing changes: changes to a wrong label a minute, and what is shown in neutral speech."""
    wrong, minutes = 0, 0.0
    by_emotion: dict[str, list[float]] = defaultdict(list)
    neutral = np.zeros(len(EMOTIONS))
    for talk, verdicts in zip(talks, heard, strict=True):
        labels = shown(verdicts, settings)
        length = len(labels) * _HOP_SECONDS / 60
        changed = int(((labels[1:] != labels[:-1]) & (labels[1:] != talk.emotion)).sum()) + int(
            labels[0] not in (talk.emotion, NEUTRAL)
        )
        wrong, minutes = wrong + changed, minutes + length
        by_emotion[EMOTIONS[talk.emotion]].append(changed / length)
        if talk.emotion == NEUTRAL:
            speaking = np.array([verdict.speaking for verdict in verdicts])
            neutral += np.bincount(labels[speaking], minlength=len(EMOTIONS))
    share = neutral / neutral.sum() if neutral.sum() else neutral
    return {
        "minutes": minutes,
        "wrong_changes_a_minute": wrong / minutes if minutes else 0.0,
        "wrong_changes_a_minute_in": {name: float(np.mean(rates)) for name, rates in sorted(by_emotion.items())},
        "shown_in_neutral_speech": dict(zip(EMOTIONS, share.tolist(), strict=True)),
    }


def by_attack(
    changing: tuple[Sequence[Talk], Sequence[Sequence[Heard]]],
    lasting: tuple[Sequence[Talk], Sequence[Sequence[Heard]]],
    settings: Expression,
) -> list[dict[str, Any]]:
    """What a quicker or a steadier face would have made of the same verdicts: for each of ATTACKS how many changes arrive, how
    soon, and how often a minute steady talk gets a wrong label. Talks with their verdicts, of `changes` and of `steady`."""
    found = []
    for attack in ATTACKS:
        quick = settings.model_copy(update={"attack": attack})
        soon, steadily = change_figures(*changing, quick), steady_figures(*lasting, quick)
        row = {name: soon[name] for name in ("arrives", "median_seconds", "median_seconds_of_those_that_arrive")}
        found.append({"attack": attack, **row, "wrong_changes_a_minute": steadily["wrong_changes_a_minute"]})
    return found
