"""What people's real faces reach, beside the drawn ones: `python -m tools.evaluate_photographs --photos DIR`.

`DIR/photos.csv` names each picture (`file`), what its face shows (`expression`: smile, neutral, sad …), and where they are known
`pose` and `kind`; paintings, profiles and faces cut by the edge are left out. With `--drawn OUT.json` of
`tools.evaluate_expression` the blendshapes and the symmetry of drawn expressions are set beside those of the photographs.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from models.errors import UserError, exit_on_user_error
from models.judge.crops import Picture
from models.judge.verdict import Judge, lopsided
from models.labels import EMOTIONS, NEUTRAL
from tools.expression_figures import SYMMETRIC
from tools.judging_networks import add_networks

LABELS: Final = {"smile": "happy", "neutral": "neutral", "sad (crying)": "sad"}  # what a table says → what fer should see
NOT_PEOPLE: Final = ("painting", "drawing", "engraving", "sculpture", "no face")
NOT_SEEN: Final = ("profile", "cut")
CLEARLY: Final = 0.05  # of a blendshape: so much above what photographs show counts as more than people do

Shapes = Mapping[str, float]


class Photograph(NamedTuple):
    """One face: what it should show (None: not said, or not one of the five), what fer sees, its blendshapes."""

    label: str | None
    fer: str
    blendshapes: Shapes


class Drawn(TypedDict):
    """A judged picture, as far as it is looked at here."""

    face: str
    emotion: str
    blendshapes: dict[str, float]


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    rows = None if options.drawn is None else _drawn(options.drawn)
    judge = Judge(options.networks)
    photographs = [read(judge, options.photos / row["file"], row) for row in wanted(options.photos / "photos.csv")]
    print(f"{len(photographs)} faces on photographs")
    for label, (right, count) in agreement(photographs).items():
        print(f"labelled {label:8} fer agrees on {right} of {count}")
    shapes = [photograph.blendshapes for photograph in photographs]
    print(f"left and right differ on photographs: {_shown(symmetry(shapes))}")
    if rows is None:
        return
    neutral = {row["face"]: row["blendshapes"] for row in rows if row["emotion"] == EMOTIONS[NEUTRAL]}
    moved = [row for row in rows if row["emotion"] != EMOTIONS[NEUTRAL]]
    print(f"left and right differ, drawn at rest: {_shown(symmetry(list(neutral.values())))}")
    print(f"left and right differ, drawn in full: {_shown(symmetry([row['blendshapes'] for row in moved]))}")
    gained = [one_sided(neutral[row["face"]], row["blendshapes"]) for row in moved]
    print(f"one side moves more than the other: {_shown(_spread(gained))}")
    limits = {name: max(face[name] for face in shapes) for name in shapes[0]}
    for emotion in EMOTIONS:
        above = [beyond(row["blendshapes"], limits) for row in rows if row["emotion"] == emotion]
        often = Counter(name for names in above for name in names).most_common(6)
        print(
            f"{emotion:8} {np.mean([bool(names) for names in above]):.2f} have one above every photograph: "
            + ", ".join(f"{name} {count / len(above):.2f} (photographs {limits[name]:.2f})" for name, count in often)
        )


def wanted(table: Path) -> list[dict[str, str]]:
    """The rows of photographs of one whole face. Raises `UserError` where the table is missing or has no such column."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"a table of photographs was expected at {table} ({reason}): name its folder") from error
    if not rows or not {"file", "expression"} <= set(rows[0]):
        raise UserError(f"{table} should have the columns file and expression: add them")
    return [
        row
        for row in rows
        if (row.get("faces_found_by_yunet") or "1") == "1"
        and not any(word in row.get("kind", "") for word in NOT_PEOPLE)
        and not any(word in row.get("pose", "") for word in NOT_SEEN)
    ]


def read(judge: Judge, file: Path, row: Mapping[str, str]) -> Photograph:
    """Raises `UserError` where the file is no picture or shows no face."""
    reading = judge.read(_opened(file))
    return Photograph(LABELS.get(row["expression"]), EMOTIONS[int(reading.fer.argmax())], reading.blendshapes)


def agreement(photographs: Sequence[Photograph]) -> dict[str, tuple[int, int]]:
    """Label → on how many photographs fer sees it, of how many."""
    labels = [photograph.label for photograph in photographs]
    return {
        label: (sum(p.fer == label for p in photographs if p.label == label), labels.count(label))
        for label in EMOTIONS
        if label in labels
    }


def symmetry(faces: Sequence[Shapes]) -> dict[str, float]:
    """How different left and right are: the largest difference of each face."""
    return _spread([max(map(abs, lopsided(face).values())) for face in faces])


def one_sided(neutral: Shapes, full: Shapes) -> float:
    """How much more one side moved than the other, on the way from neutral."""
    before, after = lopsided(neutral), lopsided(full)
    return max(abs(after[name] - before[name]) for name in after)


def beyond(face: Shapes, limits: Shapes) -> list[str]:
    """The blendshapes that lie `CLEARLY` above their limits."""
    return [name for name, limit in limits.items() if face[name] > limit + CLEARLY]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "95th percentile": float(np.quantile(values, 0.95)),
        f"within {SYMMETRIC}": float(np.mean(np.array(values) <= SYMMETRIC)),
    }


def _shown(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in values.items())


def _opened(file: Path) -> Picture:
    picture = cv2.imread(str(file))
    if picture is None:
        raise UserError(f"a picture was expected at {file}, none could be read: take it out of the table")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def _drawn(file: Path) -> list[Drawn]:
    try:
        rows = TypeAdapter(list[Drawn]).validate_python(json.loads(file.read_text())["faces"])
    except (OSError, ValueError, KeyError, TypeError) as error:  # a ValidationError is a ValueError
        raise UserError(f"judged faces were expected in {file}: make it with tools.evaluate_expression --json") from error
    at_rest, moved = ({row["face"] for row in rows if (row["emotion"] == EMOTIONS[NEUTRAL]) == rest} for rest in (True, False))
    if not moved or moved - at_rest:
        raise UserError(
            f"faces judged at rest and in emotions were expected in {file}: make it with tools.evaluate_expression --json"
        )
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_photographs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="folder with pictures and photos.csv")
    add_networks(parser)
    parser.add_argument("--drawn", type=Path, metavar="OUT.json", help="judged faces of tools.evaluate_expression")
    return parser


if __name__ == "__main__":
    sys.exit(main())
