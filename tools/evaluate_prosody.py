"""Measures the fast lane's pitch against librosa's pyin on recordings.

    python -m tools.evaluate_prosody --manifest ../shared/data/speech/manifest_lossless.csv --json out/prosody.json

M. Mauch, S. Dixon: pYIN, a fundamental frequency estimator using probabilistic threshold distributions (ICASSP 2014), with
its Viterbi path over the whole clip, is the reference; ours hears 40 ms and nothing that comes later. Gross error: more than
20 % away, where both hear a voice. Needs librosa: pip install librosa.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.emotion import pitch
from models.emotion.prosody import HOP, ProsodyTracker
from models.errors import UserError, exit_on_user_error
from tools.emotion_corpus import Clip, Sound, decode, read_corpus
from tools.figures_file import add_json, check_json, write_json
from tools.ranges import THREADS, whole
from tools.spread import spread

GROSS: Final = 0.2
_FRAME: Final = 1_024  # samples that pyin looks at

Floats = NDArray[np.float64]


class Compared(NamedTuple):
    """Per frame of 20 ms: the reference's F0 and ours, Hz; 0 where unvoiced."""

    reference: Floats
    ours: Floats


def compare(sound: Sound) -> Compared:
    """Both on one clip. Ours at a step is of the newest 40 ms, so of the moment HOP samples ago."""
    import librosa

    padded = np.pad(sound, (_FRAME, _FRAME))
    f0, voiced, _ = librosa.pyin(
        padded, fmin=pitch.F0_MIN, fmax=pitch.F0_MAX, sr=pitch.SAMPLE_RATE, frame_length=_FRAME, hop_length=HOP, center=False
    )
    tracker = ProsodyTracker()
    ours = np.array([tracker.step(padded[i : i + HOP]).f0_hz for i in range(0, len(padded) - HOP + 1, HOP)])
    # pyin's frame k is centred on sample HOP k + _FRAME / 2, our step j (from 0) on sample HOP j.
    middle = np.round((np.arange(len(f0)) * HOP + _FRAME / 2) / HOP).astype(int)
    inside = middle < len(ours)
    return Compared(np.where(voiced, f0, 0.0)[inside], ours[middle[inside]])


def figures(pairs: Sequence[Compared]) -> dict[str, float]:
    """Over all frames of these clips."""
    reference, ours = (np.concatenate(column) for column in zip(*pairs, strict=True))
    both = (reference > 0) & (ours > 0)
    off = np.abs(ours[both] / reference[both] - 1.0)
    return {
        "voiced_frames": int((reference > 0).sum()),
        "gross_error": float((off > GROSS).mean()) if both.any() else 0.0,
        "median_error": float(np.median(off)) if both.any() else 0.0,
        "voicing_missed": float((ours[reference > 0] == 0).mean()) if (reference > 0).any() else 0.0,
        "voicing_added": float((ours[reference == 0] > 0).mean()) if (reference == 0).any() else 0.0,
    }


def work(_: None, clip: Clip) -> Compared | str:
    """One clip, or why not."""
    try:
        return compare(decode(clip.path))
    except UserError as error:
        return str(error)


def nothing() -> None:
    """The tools that `work` needs."""


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE.csv", help="or a folder of tools/emotion_corpus.py")
    parser.add_argument("--every", type=whole("--every"), default=1, metavar="N", help="only every Nth clip")
    parser.add_argument("--jobs", type=whole("--jobs", 1, THREADS), default=1, metavar="N", help="processes")
    add_json(parser)
    args = parser.parse_args(argv)
    if importlib.util.find_spec("librosa") is None:
        raise UserError("the reference for pitch needs librosa; run: pip install librosa")
    check_json(args.json)
    clips, skipped = read_corpus(args.manifest)
    clips = clips[:: args.every]
    found = spread(nothing, work, clips, args.jobs, "listening")
    skipped.extend(answer for answer in found if isinstance(answer, str))
    skipped.tell()
    pairs = [(clip.corpus, answer) for clip, answer in zip(clips, found, strict=True) if isinstance(answer, Compared)]
    if not pairs:
        raise UserError(f"none of the rows of {args.manifest} could be used; see the reasons above")
    result: dict[str, Any] = {
        corpus: figures([pair for name, pair in pairs if name == corpus]) for corpus in sorted({name for name, _ in pairs})
    }
    result["all"] = figures([pair for _, pair in pairs])
    table = Table("corpus", *(name.replace("_", " ") for name in result["all"]))
    for corpus, row in result.items():
        table.add_row(corpus, *(str(value) if isinstance(value, int) else f"{value:.3f}" for value in row.values()))
    Console().print(table)
    write_json(args.json, result | {"skipped": skipped.lines})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
