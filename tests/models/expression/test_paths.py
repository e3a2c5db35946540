"""Paths: blending, the file they are kept in, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from models.errors import UserError
from models.expression.paths import FORMAT, STRONGEST, ExpressionPaths, load_paths, read_tensors, save_paths
from models.labels import EMOTIONS, NEUTRAL

NUM_WS, WIDTH, KNOTS = 6, 8, 3
part = st.floats(0, 1, width=32)


def a_face(name: str = "seed:1", generator_hash: str = "a" * 64, seed: int = 0) -> ExpressionPaths:
    random = np.random.RandomState(seed)
    paths = random.randn(len(EMOTIONS), KNOTS, NUM_WS, WIDTH).astype(np.float32)
    paths[NEUTRAL] = 0
    paths[:, :, [0, 5]] = 0
    rig = {"mouth_open": random.randn(NUM_WS, WIDTH).astype(np.float32), "blink": random.randn(NUM_WS, WIDTH).astype(np.float32)}
    rig = {control: offset * np.array([0, 1, 1, 1, 1, 0], np.float32)[:, None] for control, offset in rig.items()}
    return ExpressionPaths(random.randn(NUM_WS, WIDTH).astype(np.float32), paths, rig, generator_hash, name)


FACE = a_face()


def only(emotion: int, weight: float = 1.0) -> np.ndarray:
    weights = np.zeros(len(EMOTIONS))
    weights[emotion] = weight
    return weights


def test_rest_is_neutral_whatever_neutral_weighs() -> None:
    assert np.array_equal(FACE.blend(np.zeros(5))[0], FACE.neutral)
    assert np.array_equal(FACE.blend(only(NEUTRAL))[0], FACE.neutral)
    assert np.array_equal(FACE.blend(only(3), strength=0.0)[0], FACE.neutral)


@pytest.mark.parametrize("emotion", range(len(EMOTIONS)))
@pytest.mark.parametrize("knot", range(KNOTS))
def test_knots_are_met_and_between_them_it_is_straight(emotion: int, knot: int) -> None:
    at_knot = FACE.blend(only(emotion, (knot + 1) / KNOTS))[0] - FACE.neutral
    assert np.allclose(at_knot, FACE.paths[emotion, knot], atol=1e-5)
    before = FACE.paths[emotion, knot - 1] if knot else np.zeros((NUM_WS, WIDTH))
    halfway = FACE.blend(only(emotion, (knot + 0.5) / KNOTS))[0] - FACE.neutral
    assert np.allclose(halfway, (before + FACE.paths[emotion, knot]) / 2, atol=1e-5)


@given(weights=arrays(np.float32, 5, elements=part), strength=st.floats(0, 1, width=32), mouth=part, blink=part)
def test_emotions_and_controls_add_up(weights: np.ndarray, strength: float, mouth: float, blink: float) -> None:
    rig = {"mouth_open": mouth, "blink": blink}
    parts = [FACE.blend(only(emotion, float(weight)), strength)[0] - FACE.neutral for emotion, weight in enumerate(weights)]
    controls = sum(value * FACE.rig[control] for control, value in rig.items())
    expected = FACE.neutral + np.sum(parts, axis=0) + controls
    blended = FACE.blend(weights, strength, rig)
    assert blended.shape == (1, NUM_WS, WIDTH)
    assert blended.dtype == np.float32
    assert np.allclose(blended[0], expected, atol=1e-4)


@given(weight=st.floats(0, 1, width=32), strength=st.floats(0, 1.5, width=32), change=st.floats(0, 1e-3))
def test_a_small_change_of_weight_moves_the_face_a_little(weight: float, strength: float, change: float) -> None:
    here, there = FACE.blend(only(2, weight), strength), FACE.blend(only(2, weight + change), strength)
    steepest = KNOTS * np.abs(FACE._pieces[2]).max()
    assert np.abs(there - here).max() <= steepest * change * strength + 1e-4


def test_beyond_full_it_goes_straight_on_and_then_stops() -> None:
    last = FACE.paths[0, -1] - FACE.paths[0, -2]
    assert np.allclose(FACE.blend(only(0), 1 + 1 / KNOTS)[0] - FACE.neutral, FACE.paths[0, -1] + last, atol=1e-5)
    assert np.array_equal(FACE.blend(only(0), STRONGEST), FACE.blend(only(0), STRONGEST + 5))


def test_controls_that_a_face_lacks_are_left_out() -> None:
    assert np.array_equal(FACE.blend(np.zeros(5), rig={"tail": 1.0, "yaw": 0.3})[0], FACE.neutral)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_a_file_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.mktemp("paths") / "faces.safetensors"
    faces = {name: a_face(name, seed=seed + n) for n, name in enumerate(("seed:7", "seed:8", "code:12ab"))}
    save_paths(path, faces)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    back = load_paths(path, "a" * 64)
    assert list(back) == list(faces)
    for name, face in faces.items():
        assert back[name].name == name
        assert np.allclose(back[name].neutral, face.neutral, atol=4e-3)
        assert np.allclose(back[name].paths, face.paths, atol=4e-3)
        assert set(back[name].rig) == set(face.rig)
        assert np.allclose(back[name].rig["blink"], face.rig["blink"], atol=4e-3)


def test_a_neutral_code_with_other_strides_is_kept_as_it_is(tmp_path: Path) -> None:
    """A code that is broadcast to all rows lies in memory column by column."""
    face = a_face()
    turned = replace(face, neutral=np.asfortranarray(face.neutral))
    save_paths(tmp_path / "faces.safetensors", {"seed:1": turned})
    assert np.allclose(load_paths(tmp_path / "faces.safetensors")["seed:1"].neutral, face.neutral, atol=1e-2)


def test_paths_of_another_generator_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    save_paths(path, {"seed:1": a_face()})
    with pytest.raises(UserError, match="belongs to the generator aaaaaaaaaaaa…, the one in use is bbbbbbbbbbbb…"):
        load_paths(path, "b" * 64)


def test_a_missing_a_broken_and_a_foreign_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    with pytest.raises(UserError, match=r"faces\.safetensors"):
        load_paths(path)
    path.write_bytes(b"not a file of tensors")
    with pytest.raises(UserError, match=r"faces\.safetensors"):
        load_paths(path)
    save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(UserError, match="something else"):
        load_paths(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    save_paths(path, {"seed:1": a_face()})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError):
        load_paths(path)


@pytest.mark.parametrize(
    "rows", ["", "[]", "7", '{"seed:1": null}', '{"seed:1": [0]}', '{"seed:1": ["a", 2]}', '{"seed:2": [0, 1]}']
)
def test_a_file_whose_description_makes_no_sense_is_refused(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "faces.safetensors"
    save_paths(path, {"seed:1": a_face()})
    tensors, metadata = read_tensors(path, FORMAT, None)
    save_file(tensors, path, metadata={**metadata, "rows": rows})
    with pytest.raises(UserError, match="damaged"):
        load_paths(path)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    save_paths(path, {"seed:1": a_face()})
    tensors, metadata = read_tensors(path, FORMAT, None)
    tensors["seed:1/neutral"][0, 0] = np.nan
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(UserError, match="finite numbers"):
        load_paths(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="can't be written"):
        save_paths(tmp_path / "file" / "faces.safetensors", {"seed:1": a_face()})


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="paths of shape"):
        ExpressionPaths(FACE.neutral, FACE.paths[:4], FACE.rig, "a", "x")
    with pytest.raises(ValueError, match="paths of shape"):
        ExpressionPaths(FACE.neutral, FACE.paths[:, :0], FACE.rig, "a", "x")
    with pytest.raises(ValueError, match="blink"):
        ExpressionPaths(FACE.neutral, FACE.paths, {"blink": FACE.neutral[:2]}, "a", "x")
