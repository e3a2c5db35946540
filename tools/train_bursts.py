"""Train what hears vocal bursts, and tells them from sounds:

    python -m tools.train_bursts --bursts EmoGator/mp3 --data FOLDER --sounds DIR --voices DIR --song DIR --coughs DIR

`--bursts` is the folder `mp3` of EmoGator (F. Buhl, arXiv:2301.00508): vocal bursts of 357 people, `NNNNNN-EE-I.mp3`. Its anger,
neutral, fear, elation and sadness stand for the five emotions, its amusement for laughter; distress and pain are voices as well.
`--voices` are recordings of screams and shouts, whatever they mean. Speech comes from the corpora in `--data`, sung vowels from
`--song`; sounds without a voice are made up, and recorded ones lie in `--sounds`. `--coughs` are recordings of coughs, sneezes,
snoring, breath: with laughter, reflexes, which say none of the five.

First logistic regression on voice activity's states tells where there may be a voice. Then the shipped classifier hears every
clip as a show does, and another one tells speech, reflexes, no voice and bursts of the five emotions by its vectors. A fifth of
people and sounds is kept apart first, to see what that is worth, and then learnt from too.
"""

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.emotion.vocal_bursts import KINDS, NO_VOICE, REFLEX, SPEECH, WEIGHTS, Activity, VocalBursts
from models.emotion.voice_activity import SileroNetwork
from models.errors import exit_on_user_error
from models.files import check_place
from models.labels import EMOTIONS
from tools.burst_corpus import (
    COUGH,
    LAUGHTER,
    SONG,
    VOICE,
    Example,
    Floats,
    States,
    bursts,
    listener,
    recordings,
    sounds,
    speech,
    states_of,
    vectors_of,
)  # fmt: skip
from tools.emotion_figures import unweighted_average_recall
from tools.ranges import whole
from tools.spread import spread

# Of everything that activity learns from, beside each kind of burst once.
ACTIVITY_SHARES: Final = {"speech": 1.0, "no voice": 4.0, VOICE: 3.0, SONG: 3.0, COUGH: 2.0}
# Of everything that kinds are learnt from, beside each other kind .04: speech that is taken for something else costs most.
KIND_SHARES: Final = {"speech": 0.5, SONG: 0.1, "no voice": 0.1, COUGH: 0.06}
_LEAST_ODDS: Final = 1.0  # log-odds of a voice that count as even: what is heard by mistake is told from voices by its vector
_AHEAD: Final = {REFLEX: 0.5, NO_VOICE: 2.0}  # log-odds given to what must not become an emotion where it is doubtful
ACTIVITY_PENALTY: Final = 1e-4  # of the squared weights
KIND_PENALTY: Final = 1e-3
STEPS: Final = 100


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    check_place(options.out, "what hears vocal bursts")
    examples = [
        *bursts(options.bursts, options.takes, options.thinned),
        *speech(options.data, options.every),
        *sounds(options.sounds, options.most),
        *recordings(options.voices, VOICE, options.most),
        *recordings(options.song, SONG, options.most),
        *recordings(options.coughs, COUGH, options.most),
    ]
    states = spread(SileroNetwork.load, states_of, examples, options.jobs, "voice activity")
    apart = np.array([example.apart for example in examples])
    print(*activity_told(fitted_activity(examples, states, ~apart), examples, states, apart), sep="\n")
    activity = fitted_activity(examples, states, np.ones(len(examples), bool))

    heard = spread(functools.partial(listener, activity), vectors_of, examples, options.jobs, "listening")
    identity = listener().identity
    of_others = VocalBursts(activity, *fitted_kinds(examples, heard, ~apart), identity)
    print(*kinds_told(of_others, examples, heard, apart), sep="\n")
    VocalBursts(activity, *fitted_kinds(examples, heard, np.ones(len(examples), bool)), identity).save(options.out)
    print(f"{len(examples)} clips: written to {options.out}")


def fitted_activity(examples: Sequence[Example], states: Sequence[States], among: NDArray[np.bool_]) -> Activity:
    """Learnt from the clips `among` (clips,): a voice is what is loud in bursts and song; what voice activity does not call
    speech in speech, and all sounds and coughs, are none: few of them reach the vectors then, which tell these."""
    kept = [(e.kind, rows) for e, s, a in zip(examples, states, among, strict=True) if a and len(rows := _telling(e.kind, s))]
    none = {KINDS[SPEECH], KINDS[NO_VOICE], COUGH}
    is_voice = np.repeat([kind not in none for kind, _ in kept], [len(rows) for _, rows in kept])
    values = np.concatenate([rows for _, rows in kept]).astype(np.float32)
    weight, bias = _regression(values, np.stack([~is_voice, is_voice], 1), _weights(kept, ACTIVITY_SHARES, 1.0), ACTIVITY_PENALTY)
    return Activity(torch.from_numpy(weight[1] - weight[0]), float(bias[1] - bias[0]) - _LEAST_ODDS)


def _telling(kind: str, state: States) -> NDArray[np.float16]:
    """Of a clip's states those that say something."""
    if kind == KINDS[SPEECH]:
        return state.values[~state.speech]
    return state.values if kind in (KINDS[NO_VOICE], COUGH) else state.values[state.loud]


def fitted_kinds(examples: Sequence[Example], vectors: Sequence[Floats], among: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Weight (8, N_EMBEDDING) and bias (8,), learnt from the vectors of the clips `among`; of bursts whose emotion nobody told,
    that it is one of the five."""
    kept = [(e.kind, v) for e, v, a in zip(examples, vectors, among, strict=True) if a and len(v)]
    allowed = np.repeat([_allowed(kind) for kind, _ in kept], [len(rows) for _, rows in kept], axis=0)
    weights = _weights(kept, KIND_SHARES, 0.04)
    weight, bias = _regression(np.concatenate([rows for _, rows in kept]), allowed, weights, KIND_PENALTY)
    bias[list(_AHEAD)] += list(_AHEAD.values())
    return weight, bias


def _allowed(kind: str) -> NDArray[np.bool_]:
    """Which of KINDS a clip may be."""
    if kind == VOICE:
        return np.array([name in EMOTIONS for name in KINDS])
    meant = {SONG: KINDS[SPEECH], LAUGHTER: KINDS[REFLEX], COUGH: KINDS[REFLEX]}.get(kind, kind)
    return np.array([name == meant for name in KINDS])


def _weights(kept: Sequence[tuple[str, NDArray[np.floating]]], shares: Mapping[str, float], others: float) -> Floats:
    """Of the rows of clips: each kind has its share, and its clips weigh alike."""
    clips = Counter(kind for kind, _ in kept)
    return np.concatenate(
        [np.full(len(rows), shares.get(kind, others) / clips[kind] / len(rows), np.float32) for kind, rows in kept]
    )


def _regression(values: Floats, allowed: NDArray[np.bool_], weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Logistic regression at zero mean and unit variance: values (n, d), which of k kinds each may be (n, k), the weight of each
    (n,) -> weight (k, d) and bias (k,)."""
    rows = torch.from_numpy(values)
    mean, std = rows.mean(0), rows.std(0).clamp_min(1e-3)
    scaled = (rows - mean) / std
    weight_of = torch.from_numpy(weights / weights.sum())
    forbidden = torch.from_numpy(~allowed)
    learnt = torch.zeros(allowed.shape[1], values.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([learnt], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        likely = (scaled @ learnt[:, :-1].T + learnt[:, -1]).log_softmax(-1)
        wrong = -likely.masked_fill(forbidden, -torch.inf).logsumexp(-1)
        total = weight_of @ wrong + penalty * learnt[:, :-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    weight = learnt.detach()[:, :-1] / std
    return weight.numpy(), (learnt.detach()[:, -1] - weight @ mean).numpy()


def activity_told(
    activity: Activity, examples: Sequence[Example], states: Sequence[States], among: NDArray[np.bool_]
) -> list[str]:
    """A line for each kind: how much of it is called voice, without bursts and with them."""
    lines = []
    for kind in dict.fromkeys(example.kind for example in examples):
        own = [state for example, state, chosen in zip(examples, states, among, strict=True) if chosen and example.kind == kind]
        if own:
            loud = np.concatenate([state.loud for state in own])
            values = torch.from_numpy(np.concatenate([state.values for state in own])[loud].astype(np.float32))
            before = np.concatenate([state.speech for state in own])[loud]
            after = before | (values @ activity.weight + activity.bias > 0).numpy()
            lines.append(f"{kind:9} {len(own):4} clips kept apart: called voice {before.mean():.3f}, now {after.mean():.3f}")
    return lines


def kinds_told(
    learnt: VocalBursts, examples: Sequence[Example], vectors: Sequence[Floats], among: NDArray[np.bool_]
) -> list[str]:
    """A line for each kind: what it is taken for; and how often a burst's emotion is right."""
    lines, truth, said = [], [], []
    for kind in dict.fromkeys(example.kind for example in examples):
        own = [v for e, v, chosen in zip(examples, vectors, among, strict=True) if chosen and e.kind == kind and len(v)]
        if own:
            shares = np.stack([learnt.kinds(each).mean(0) for each in own])
            heard = ", ".join(f"{name} {share:.3f}" for name, share in zip(KINDS, shares.mean(0), strict=True))
            lines.append(f"{kind:9} {len(own):4} clips kept apart, taken for {heard}")
            if kind in EMOTIONS:
                truth += [EMOTIONS.index(kind)] * len(own)
                said += list(shares[:, -len(EMOTIONS) :].argmax(1))
    if truth:
        recall = unweighted_average_recall(np.array(truth), np.array(said))
        lines.append(f"bursts of people kept apart, UAR of five: {recall:.3f}")
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_bursts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--bursts", type=Path, required=True, metavar="DIR", help="the folder mp3 of EmoGator")
    add("--data", type=Path, nargs="+", required=True, metavar="DIR", help="corpora of speech, as for tools.train_emotion")
    add("--sounds", type=Path, nargs="*", default=[], metavar="DIR", help="folders of recordings without voices")
    add("--voices", type=Path, nargs="*", default=[], metavar="DIR", help="folders of screams and shouts")
    add("--song", type=Path, nargs="*", default=[], metavar="DIR", help="folders of recordings of singers")
    add("--coughs", type=Path, nargs="*", default=[], metavar="DIR", help="folders of coughs, sneezes, snoring, breath")
    add("--most", type=whole("--most"), default=400, metavar="N", help="recordings of each of these folders (%(default)s)")
    add("--every", type=whole("--every"), default=20, metavar="N", help="take every Nth clip of speech (%(default)s)")
    add("--takes", type=whole("--takes", 1, 9), default=2, metavar="N", help="of each person's bursts of a kind (%(default)s)")
    add("--thinned", type=whole("--thinned"), default=1, metavar="N", help="every Nth person who bursts out (%(default)s)")
    add("--out", type=Path, default=WEIGHTS, metavar="FILE", help="(%(default)s)")
    add("--jobs", type=whole("--jobs", 1, 64), default=1, metavar="N", help="processes (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
