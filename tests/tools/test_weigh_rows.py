"""Weighing rows of the predictor that ships: what can't be asked for, and one face looked at by our own student."""

from pathlib import Path

import numpy as np
import pytest

from models.expression import predictor
from models.expression.bank import load_predictor
from tools import weigh_rows


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--emotions", "angry,poem"], "got 'poem'"),
        (["--emotions", "neutral"], "got 'neutral'"),
        (["--faces", "seed:x"], "named seed:N"),
        (["--predictor", "none.safetensors"], "none.safetensors"),
    ],
)
def test_what_can_not_be_weighed_is_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert weigh_rows.main([*options, "--out", str(tmp_path / "out.safetensors")]) == 2
    message = capsys.readouterr().err.strip()
    assert said in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


def test_rows_of_one_emotion_are_weighed_and_the_rest_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.safetensors"
    weigh_rows.main(["--emotions", "happy", "--faces", "seed:10000", "--out", str(out)])
    assert capsys.readouterr().out.startswith("happy: row 3 × ")
    shipped, found = load_predictor(), predictor.load(out)
    assert set(found.row_weights) == {*shipped.row_weights, "happy"}
    assert found.row_weights["happy"].std() > 0
    ws = np.repeat(found.mean[None], 23, axis=0)
    assert np.array_equal(found.offset("fear", ws), shipped.offset("fear", ws))
    assert not np.array_equal(found.offset("happy", ws), shipped.offset("happy", ws))
