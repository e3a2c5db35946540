"""Attribute-level directions on codes whose measures are known linear functions; saving."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import UserError
from models.expression import directions
from models.expression.directions import CONDITIONS, MEASURED, POSE_ROWS, TURNS, Observations, find_directions
from models.expression.goals import RIG_GOALS
from models.expression.paths import ExpressionPaths, read_tensors, write_tensors
from models.labels import EMOTIONS

WIDTH, NUM_WS, SAMPLES = 24, 15, 400
ROWS = slice(1, 13)
RANDOM = np.random.RandomState(3)
TRUTH = {name: RANDOM.randn(WIDTH).astype(np.float32) for name in MEASURED}


class Codes:
    """As much of a generator as directions need when nothing is drawn."""

    num_ws = NUM_WS
    graph_hash = "d" * 64

    def code_of_seed(self, seed: int) -> Tensor:
        return torch.from_numpy(np.random.RandomState(seed).randn(1, WIDTH)).float()

    def rows_read(self, resolution: int) -> int:
        assert resolution == 64
        return ROWS.stop

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, NUM_WS, -1)


@pytest.fixture(scope="module")
def observations() -> Observations:
    w = RANDOM.randn(SAMPLES, WIDTH).astype(np.float32)
    return Observations(w, {name: (w @ truth + 1).astype(np.float32) for name, truth in TRUTH.items()})


def searched(number: int) -> ExpressionPaths:
    """A face whose happy goes along one common way, that of `yaw` mixed in, and along one of its own."""
    random = np.random.RandomState(number)
    paths = np.zeros((len(EMOTIONS), 2, NUM_WS, WIDTH), np.float32)
    paths[:, :, ROWS] = COMMON + TRUTH["yaw"] + random.randn(len(EMOTIONS), 2, ROWS.stop - ROWS.start, WIDTH)
    rig = dict.fromkeys(RIG_GOALS, paths[0, 0])
    neutral = Codes().broadcast(Codes().code_of_seed(number))[0].numpy() - 0.1
    return ExpressionPaths(neutral, paths, rig, Codes.graph_hash, f"seed:{number}")


COMMON = 2 * RANDOM.randn(WIDTH).astype(np.float32)


def test_a_turn_turns_and_changes_nothing_else(observations: Observations) -> None:
    found = find_directions(Codes(), observations)
    for turn, degrees in TURNS.items():
        offset = found.offsets[turn]
        assert not offset[POSE_ROWS.stop :].any()
        step = offset[0]
        assert step @ TRUTH[turn] == pytest.approx(degrees, rel=0.5)
        for other in MEASURED:
            if other != turn:
                assert abs(step @ TRUTH[other]) < 0.15 * degrees, other


def test_a_control_moves_its_measure_and_no_other(observations: Observations) -> None:
    step = find_directions(Codes(), observations).offsets["blink"]
    assert not step[[0, *range(ROWS.stop, NUM_WS)]].any()
    least, most = RIG_GOALS["blink"].movements["lids"]
    assert least - 3 < step[ROWS.start] @ TRUTH["lids"] < most * 0.9
    assert abs(step[ROWS.start] @ TRUTH["brow_outer"]) < 1


def test_mean_of_faces_keeps_what_they_share_and_drops_the_conditions(observations: Observations) -> None:
    found = find_directions(Codes(), observations, [searched(number) for number in range(6)])
    happy = found.offsets["happy"][ROWS.start]
    yaw = TRUTH["yaw"] / np.linalg.norm(TRUTH["yaw"])
    assert abs(happy @ yaw) < 0.25 * np.linalg.norm(happy)
    shared = COMMON - COMMON @ yaw * yaw
    assert happy @ shared / np.linalg.norm(happy) / np.linalg.norm(shared) > 0.6
    assert len(CONDITIONS) < WIDTH


def test_file_gives_directions_back_and_another_generator_is_refused(observations: Observations, tmp_path: Path) -> None:
    found = find_directions(Codes(), observations)
    found.save(tmp_path / "directions.safetensors")
    back = directions.load(tmp_path / "directions.safetensors", Codes.graph_hash)
    assert set(back.offsets) == set(found.offsets)
    assert np.allclose(back.offsets["yaw"], found.offsets["yaw"], rtol=2e-3, atol=1e-3)
    assert np.allclose(back.smile_readout, found.smile_readout, rtol=1e-6)
    with pytest.raises(UserError, match="one in use is eeeeeeeeeeee"):
        directions.load(tmp_path / "directions.safetensors", "e" * 64)
    tensors, metadata = read_tensors(tmp_path / "directions.safetensors", directions.FORMAT, None)
    del tensors["smile_readout"]
    write_tensors(tmp_path / "directions.safetensors", tensors, metadata)
    with pytest.raises(UserError, match="smile_readout is missing"):
        directions.load(tmp_path / "directions.safetensors")
