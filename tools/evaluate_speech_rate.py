"""Measures the syllables that the fast lane counts against those of the text.

    python -m tools.evaluate_speech_rate --manifest ../shared/data/speech/manifest.csv --every 10

Only clips in languages whose spelling tells the syllables (Polish, Turkish), with their text in the column `sentence`.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from models.emotion.prosody import HOP, ProsodyTracker
from models.emotion.syllables import SECONDS
from models.errors import UserError, exit_on_user_error
from tools.emotion_corpus import Sound, decode
from tools.manifest_rows import Row, read_rows
from tools.ranges import whole
from tools.skipped import Skipped

VOWELS: Final = {"pl": "[aąeęioóuy]", "tr": "[aeıioöuü]"}
_SOFT: Final = re.compile("i(?=[aąeęoóu])")  # in Polish it only softens the consonant before


def syllables(text: str, language: str) -> int:
    """Of a text in a language of `VOWELS`."""
    lowered = text.lower()
    return len(re.findall(VOWELS[language], _SOFT.sub("", lowered) if language == "pl" else lowered))


def written(row: Row) -> int:
    """Syllables of the sentence of a manifest's row; 0 where it has none, or a language whose spelling does not tell them."""
    language = row["language"].casefold()
    return syllables(row["sentence"], language) if language in VOWELS else 0


def counted(sound: Sound) -> int:
    """Syllables heard in 16 kHz mono: every one is in exactly one of the windows that end `SECONDS` apart."""
    tracker = ProsodyTracker()
    padded = np.pad(sound, (0, -len(sound) % round(SECONDS * 16_000)))
    rates = [tracker.step(padded[i : i + HOP]).rate for i in range(0, len(padded), HOP)]
    return round(SECONDS * sum(rates[round(SECONDS * 50) - 1 :: round(SECONDS * 50)]))


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--manifest", type=Path, required=True, metavar="FILE.csv", help="columns path, corpus, language, sentence"
    )
    parser.add_argument("--every", type=whole("--every"), default=1, metavar="N", help="only every Nth clip")
    args = parser.parse_args(argv)
    rows = [row for _, row in read_rows(args.manifest, ("path", "language", "sentence")) if row["path"] and written(row)]
    if not rows:
        raise UserError(f"{args.manifest} has no rows with a sentence in one of the languages {', '.join(VOWELS)}")
    pairs, skipped = defaultdict[str, list[tuple[int, int]]](list), Skipped()
    for row in rows[:: args.every]:
        try:
            heard = counted(decode(args.manifest.parent / row["path"]))
        except UserError as error:
            skipped.add(str(error))
            continue
        pairs[row.get("corpus", "")].append((heard, written(row)))
    skipped.tell()
    if not pairs:
        raise UserError(f"none of the {skipped.count} recordings of {args.manifest} could be used; see the reasons above")
    table = Table("corpus", "clips", "heard / written", "mean error of a clip", "correlation")
    for corpus, found in sorted(pairs.items()):
        heard_of, read = np.array(found, float).T
        off = np.abs(heard_of - read) / read
        alike = np.corrcoef(heard_of, read)[0, 1] if min(heard_of.std(), read.std()) > 0 else float("nan")
        table.add_row(corpus, str(len(found)), f"{heard_of.sum() / read.sum():.2f}", f"{off.mean():.1%}", f"{alike:.2f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
