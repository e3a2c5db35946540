"""Figures of judged expressions that can be counted by hand."""

import numpy as np
import pytest

from models.expression.goals import EMOTION_GOALS
from models.expression.paths import ExpressionPaths
from models.expression.typical import Typicality
from models.labels import EMOTIONS
from tools.expression_figures import cosines, distances, summary, whole_faces, worst


def rows() -> list[dict[str, object]]:
    """Two faces, a and b; b's fear is read as sad; a starts happy, b neutral."""
    return [
        {
            "face": face,
            "start": "happy" if face == "a" else "neutral",
            "emotion": emotion,
            "fer": {"says": "sad" if emotion == "fear" and face == "b" else emotion},
            "facemood": {"says": "neutral"},
            "same_person": 1.0 if emotion == "neutral" else 0.5 + 0.1 * n,
            "skin": 0.0 if emotion == "neutral" else 2.0,
            "elsewhere": 0.0 if emotion == "neutral" else 0.01,
            "turn": 0.0 if emotion == "neutral" else 2.5 + n,
            "asymmetry": 0.05,
            "irises": 3.0 if emotion == "fear" else None,
        }
        for n, face in enumerate("ab")
        for emotion in EMOTIONS
    ]


def test_verdicts_are_counted_and_neutral_is_left_out_of_the_changes() -> None:
    figures = summary(rows())
    assert figures["faces"] == 2
    assert figures["fer"] == {"angry": 1, "neutral": 1, "fear": 0.5, "happy": 1, "sad": 1, "four emotions": 7 / 8, "five": 0.9}
    assert figures["facemood"]["neutral"] == 1
    assert figures["facemood"]["happy"] == 0
    assert figures["by how a face starts"] == {"happy (1)": 1.0, "neutral (1)": 0.8}
    assert figures["same_person"]["mean"] == pytest.approx(0.55)
    assert figures["same_person"]["least"] == 0.5
    assert figures["skin"]["median"] == 2.0
    assert figures["irises"]["median"] == 3.0
    assert figures["elsewhere"]["mean"] == pytest.approx(0.01)
    assert figures["turn"] == {
        "median": 3.0,
        "mean": 3.0,
        "95th percentile": 3.5,
        "most": 3.5,
        "within 3°": 0.5,
    }


def test_the_worst_face_is_the_one_that_is_misread() -> None:
    assert worst(rows(), 1) == ["b"]
    assert worst(rows(), 5) == ["b", "a"]


ROWS = slice(1, 13)


def test_mirrored_and_equal_emotions_are_seen() -> None:
    paths = np.zeros((5, 1, 23, 4), np.float32)
    paths[EMOTIONS.index("angry"), 0, ROWS, 0] = 1
    paths[EMOTIONS.index("happy"), 0, ROWS, 0] = -2
    paths[EMOTIONS.index("fear"), 0, ROWS, 0] = 3
    paths[EMOTIONS.index("sad"), 0, ROWS, 1] = 1
    between = cosines([ExpressionPaths(np.zeros((23, 4), np.float32), paths, {}, "hash", "seed:1")])
    assert between["angry-happy"] == pytest.approx(-1)
    assert between["angry-fear"] == pytest.approx(1)
    assert between["angry-sad"] == pytest.approx(0)
    assert len(between) == len(EMOTION_GOALS) * (len(EMOTION_GOALS) - 1) / 2


def test_codes_far_from_all_drawn_ones_are_seen() -> None:
    codes = np.random.RandomState(0).randn(2000, 4).astype(np.float32)
    near, far = np.zeros((2, 5, 1, 23, 4), np.float32)
    far[:, 0, ROWS, 0] = 6
    faces = [ExpressionPaths(np.zeros((23, 4), np.float32), paths, {}, "hash", "seed:1") for paths in (near, far)]
    figures = distances(faces, Typicality.of(codes, ROWS))
    assert figures["within"] == 0.5
    assert figures["limit"] == pytest.approx(13.28**0.5, rel=0.05), "the 99th percentile of chi-squared with four degrees"
    assert figures["most"] == pytest.approx(6, rel=0.05)


def test_a_face_counts_only_if_a_limit_holds_in_all_its_expressions() -> None:
    typical = Typicality.of(np.random.RandomState(0).randn(2000, 4).astype(np.float32), ROWS)

    def face(name: str, neutral: float = 0.0, sad: float = 0.0) -> ExpressionPaths:
        ws, paths = np.zeros((23, 4), np.float32), np.zeros((5, 1, 23, 4), np.float32)
        ws[ROWS, 0], paths[EMOTIONS.index("sad"), 0, ROWS, 0] = neutral, sad
        return ExpressionPaths(ws, paths, {}, "hash", name)

    def pictures(name: str, **one: float) -> list[dict[str, object]]:
        even = {"face": name, "turn": 1.0, "asymmetry": 0.1}
        return [{**even, "emotion": emotion} for emotion in EMOTIONS[:-1]] + [{**even, "emotion": EMOTIONS[-1], **one}]

    rows = [*pictures("a"), *pictures("b", turn=3.5), *pictures("c", asymmetry=0.2), *pictures("d")]
    assert whole_faces(rows, [face("a"), face("b"), face("c"), face("d", sad=6)], typical) == {
        "left like right within 0.15": 0.75,
        "turn within 3°": 0.75,
        "Mahalanobis within the limit": 0.75,
        "all three": 0.25,
    }
    assert whole_faces(pictures("a"), [face("a", neutral=6, sad=-6)], typical)["all three"] == 0, "rest counts, too"
