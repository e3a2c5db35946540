"""The score of Han et al., on labels whose area can be counted by hand."""

import numpy as np
import pytest

from tools.evaluate_disentanglement import Labels, dt_score, main, scores


def labels(*rows: str) -> np.ndarray:
    return np.array([[letter == "x" for letter in row] for row in rows])


def test_changing_all_and_nothing_else_scores_one() -> None:
    assert dt_score(labels("..xx", ".xxx"), labels("xxxx", "....")) == 1


def test_what_is_not_shown_and_what_changes_beside_it_both_cost() -> None:
    assert dt_score(labels("..x", "..."), labels("...", "...")) == 0.5, "half of the faces never show it"
    # Transformation goes 0, 0.5, 1 while disentanglement goes 1, 1, 0.5.
    assert dt_score(labels(".xx", "..x"), labels("..x", "xxx")) == pytest.approx(0.5 + 0.375)


def test_faces_that_show_it_from_the_start_do_not_count_and_strangers_do() -> None:
    def walk(*emotions: str, end: float = 1.0) -> list[Labels]:
        seen = [Labels(emotion, (True, False, True), np.array([1.0, 0.0], np.float32)) for emotion in emotions]
        return [*seen[:-1], seen[-1]._replace(identity=np.array([end, 0.0], np.float32))]

    row = scores([walk("sad", "sad"), walk("neutral", "sad"), walk("neutral", "sad", end=0.1)], "sad")
    assert row["score"] == row["man"] == 1
    assert row["shown"] == 1
    assert row["the same person"] == 0.75, "one of two became somebody else at the end"


def test_no_steps_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--networks", "x", "--steps", "0"]) == 2
    assert "--steps takes a whole number from 1" in capsys.readouterr().err
