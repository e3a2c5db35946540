"""Measures what the way of a voice to the listener costs: level, telephone band, noise, room, codec; strangers and known voices.

    python -m tools.evaluate_robustness --data ../shared/data/speech --work out/train_emotion
    python -m tools.evaluate_robustness --data ../shared/data/speech --work out/train_emotion --strangers corpora

Every clip goes through each condition of tools/emotion_conditions.py, is searched for speech anew, and judged by a network of
`train_emotion` that never heard its speaker (or corpus), in windows as there. `evaluate_emotion --robustness` streams instead:
slower, and for any recordings.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from models.emotion.embedding import WindowEmbedding
from models.emotion.front_end import FrontEnd
from models.emotion.trained import Trained
from models.errors import UserError, exit_on_user_error
from models.labels import EMOTIONS
from tools import emotion_networks, emotion_report
from tools.adapt_encoder import Recorded
from tools.emotion_conditions import CONDITIONS
from tools.emotion_corpus import Change, Clip, FeatureCache, read_corpus
from tools.emotion_embeddings import NOTHING, Examples, embed
from tools.emotion_examples import test_windows
from tools.emotion_networks import few_voices, network_name, read_network
from tools.emotion_study import Study, folds
from tools.evaluate_emotion import robustness
from tools.figures_file import add_json, check_json, write_json
from tools.ranges import add_threads, whole
from tools.train_emotion import MODES, Floats, table, verdicts

PLAIN: Final = "as it is"


def few_clips(clips: Sequence[Clip], n_voices: int, n_clips: int) -> list[int]:
    """Numbers of at most `n_clips` clips, evenly from all, of each of `n_voices` voices of every spoken corpus."""
    of: dict[tuple[str, str], list[int]] = defaultdict(list)
    chosen = {id(clip) for clip in few_voices(clips, n_voices)}
    for number, clip in enumerate(clips):
        if id(clip) in chosen:
            of[clip.corpus, clip.speaker].append(number)
    return sorted(own[i] for own in of.values() for i in {k * len(own) // n_clips for k in range(n_clips)})


def answers(study: Study, names: Sequence[str], networks: dict[str, Trained]) -> dict[str, Floats]:
    """Per mode the verdicts on all clips of `study` as recorded, each by the network of its name."""
    (recorded,) = study.recorded
    found = {mode: np.zeros((len(names), len(EMOTIONS) + 2), np.float32) for mode in MODES}
    for name in sorted(set(names)):
        among = np.flatnonzero(np.array(names) == name)
        embedding = WindowEmbedding(FrontEnd(), networks[name].encoder.listening())
        heard = embed(embedding, test_windows(recorded.clips, recorded.copies[0], among))
        own = replace(study, examples=Examples(study.clips, [heard], heard))
        for mode, seconds in MODES.items():
            found[mode][among] = verdicts(networks[name].network, own, among, seconds)
    return found


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="with a manifest.csv, or a published corpus")
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="of train_emotion; features of the changed sounds are kept there",
    )
    parser.add_argument("--strangers", choices=emotion_networks.CHOICES, nargs="+", default=list(emotion_networks.CHOICES))
    parser.add_argument("--voices", type=whole("--voices"), default=8, metavar="N", help="at most, of each corpus")
    parser.add_argument("--clips", type=whole("--clips"), default=60, metavar="N", help="at most, of each voice")
    add_threads(parser)
    add_json(parser)
    args = parser.parse_args(argv)
    check_json(args.json)
    torch.set_num_threads(args.threads)
    everybody, skipped = read_corpus(args.data)
    skipped.tell()
    if not everybody:
        raise UserError(f"none of the {skipped.count} rows of {args.data} can be used; see the reasons above")
    numbers = few_clips(everybody, args.voices, args.clips)
    clips, fold = [everybody[i] for i in numbers], folds(everybody)[numbers]
    names = {of: [network_name(of, clip, int(k)) for clip, k in zip(clips, fold, strict=True)] for of in args.strangers}
    networks = {name: read_network(args.work, name) for name in {name for own in names.values() for name in own}}
    reports: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    changes: dict[str, Change | None] = {PLAIN: None, **CONDITIONS}
    console = Console()
    with Progress(console=console) as progress:
        for condition, change in changes.items():
            task = progress.add_task(condition, total=2 * len(clips))
            folder = args.work / "robustness" / "".join(c if c.isalnum() else "-" for c in condition)
            cache = FeatureCache(clips, folder, lambda _, done, task=task: progress.update(task, completed=done), change)  # type: ignore[misc]
            skipped.extend(cache.complaints)
            heard = cache.clips
            study = Study(heard, [Recorded(0, heard, [cache.copy(0)])], Examples(heard, [NOTHING], NOTHING), fold[cache.readable])
            progress.update(task, completed=2 * len(clips))
            for strangers in args.strangers:
                found = answers(study, [names[strangers][i] for i in cache.readable], networks)
                for mode, figures in table(study, found, np.arange(len(heard))).items():
                    reports[strangers, mode][condition] = {"corpora": figures["corpora"]}
    skipped.tell()
    result: dict[str, Any] = {"clips": len(heard), "skipped": skipped.lines}
    for (strangers, mode), of in reports.items():
        plain = of.pop(PLAIN)
        result[f"{strangers}, {mode}"] = robustness(plain, of)
        console.print(f"{strangers}, {mode}")
        emotion_report.show_robustness(console, result[f"{strangers}, {mode}"])
    write_json(args.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
