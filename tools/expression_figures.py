"""Figures of judged expressions: agreement, identity, colour, sides, whole faces, how faces start, how far emotions lie apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.expression.goals import EMOTION_GOALS
from models.expression.paths import ExpressionPaths
from models.expression.typical import Typicality
from models.labels import EMOTIONS, NEUTRAL

Row = Mapping[str, Any]
SYMMETRIC: Final = 0.15  # largest difference of a blendshape between left and right that is natural
LEVEL: Final = 3.0  # degrees that a head may turn


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Agreement of the judges by emotion; identity, colour, background, pose and symmetry over all expressions but neutral."""
    moved = [row for row in rows if row["emotion"] != EMOTIONS[NEUTRAL]]

    def over(key: str) -> NDArray[np.float64]:
        return np.array([row[key] for row in moved if row[key] is not None], np.float64)

    def spread(values: NDArray[np.float64]) -> dict[str, float]:
        if not len(values):  # of faces in dark glasses
            return {}
        return {
            "median": float(np.median(values)),
            "mean": float(values.mean()),
            "95th percentile": float(np.quantile(values, 0.95)),
            "most": float(values.max()),
        }

    same_person = over("same_person")
    return {
        "faces": len({row["face"] for row in rows}),
        "fer": {emotion: agreement(rows, "fer", [emotion]) for emotion in EMOTIONS}
        | {"four emotions": agreement(rows, "fer", list(EMOTION_GOALS)), "five": agreement(rows, "fer", EMOTIONS)},
        "facemood": {emotion: agreement(rows, "facemood", [emotion]) for emotion in EMOTIONS},
        "by how a face starts": by_start(rows),
        "same_person": {"mean": float(same_person.mean()), "least": float(same_person.min())}
        | {emotion: float(np.mean([r["same_person"] for r in moved if r["emotion"] == emotion])) for emotion in EMOTION_GOALS},
        "skin": spread(over("skin")),
        "irises": spread(over("irises")),
        "elsewhere": spread(over("elsewhere")),
        "turn": spread(over("turn")) | {f"within {LEVEL:.0f}°": float((over("turn") <= LEVEL).mean())},
        "asymmetry": spread(over("asymmetry")) | {f"within {SYMMETRIC}": float((over("asymmetry") <= SYMMETRIC).mean())},
    }


def agreement(rows: Sequence[Row], judge: str, emotions: Sequence[str]) -> float:
    """How often the judge sees what is meant."""
    return float(np.mean([row[judge]["says"] == row["emotion"] for row in rows if row["emotion"] in emotions]))


def by_start(rows: Sequence[Row]) -> dict[str, float]:
    """fer's agreement over five emotions, for the faces that it calls this before anything is done to them; with their number."""
    starts = {row["face"]: row["start"] for row in rows}
    groups = {start: [row for row in rows if row["start"] == start] for start in EMOTIONS}
    return {
        f"{start} ({list(starts.values()).count(start)})": agreement(group, "fer", EMOTIONS)
        for start, group in groups.items()
        if group
    }


def worst(rows: Sequence[Row], count: int) -> list[str]:
    """The faces that fer misreads most often, and of equally many those that keep the person least; worst first."""
    faces = dict.fromkeys(row["face"] for row in rows)

    def quality(face: str) -> tuple[int, float]:
        own = [row for row in rows if row["face"] == face]
        return -sum(row["fer"]["says"] != row["emotion"] for row in own), min(row["same_person"] for row in own)

    return sorted(faces, key=quality)[:count]


def cosines(faces: Sequence[ExpressionPaths]) -> dict[str, float]:
    """Between the full offsets of each two emotions, as W+ vectors: the mean over the faces."""
    ends = {emotion: [unit(face.paths[EMOTIONS.index(emotion), -1]) for face in faces] for emotion in EMOTION_GOALS}
    return {
        f"{one}-{other}": float(np.mean([a @ b for a, b in zip(ends[one], ends[other], strict=True)]))
        for one, other in combinations(EMOTION_GOALS, 2)
    }


def distances(faces: Sequence[ExpressionPaths], typical: Typicality) -> dict[str, float]:
    """How far codes of full expressions lie from the mean of drawn ones, and the distance that most of these stay within."""
    ends = [typical.distance(face.neutral + face.paths[EMOTIONS.index(e), -1]) for face in faces for e in EMOTION_GOALS]
    within = float(np.mean(np.array(ends) <= typical.limit))
    return {"mean": float(np.mean(ends)), "most": max(ends), "limit": typical.limit, "within": within}


def whole_faces(rows: Sequence[Row], faces: Sequence[ExpressionPaths], typical: Typicality) -> dict[str, float]:
    """The share of faces of which all five expressions, neutral too, keep a limit: of sides, of turn, of how far the full one's
    code lies from the mean; and the share that keeps all three.
    """
    own = [[row for row in rows if row["face"] == face.name] for face in faces]
    far = [[typical.distance(face.neutral + path[-1]) for path in face.paths] for face in faces]
    holds = {
        f"left like right within {SYMMETRIC}": [max(row["asymmetry"] for row in pictures) <= SYMMETRIC for pictures in own],
        f"turn within {LEVEL:.0f}°": [max(row["turn"] for row in pictures) <= LEVEL for pictures in own],
        "Mahalanobis within the limit": [max(each) <= typical.limit for each in far],
    }
    return {name: float(np.mean(each)) for name, each in holds.items()} | {
        "all three": float(np.mean(np.all(list(holds.values()), axis=0)))
    }


def unit(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    """An offset in W+ as one vector of length one."""
    flat = offset.ravel()
    return np.asarray(flat / np.linalg.norm(flat), np.float32)
