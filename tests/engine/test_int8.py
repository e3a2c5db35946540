"""Integers: used where they were measured, true to the floats, and nothing else that reads a tensor hears of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from openvino import opset13 as ops

from engine import openvino as engine_openvino
from engine.export import INPUT
from engine.int8 import Steps, best_cut, measured_steps, use_steps
from engine.openvino import INTEGERS, OpenVinoBackend, faces_of, known_steps, measured_precision
from models.judge.fidelity import psnr
from models.openvino_core import openvino_core
from models.stylegan.pixels import HEADS, Pixels, Quality

SIDE, CHANNELS = 64, 32
DRAW = np.random.default_rng(1)


def convolution(x: openvino.Node, out: int, side: int = 1, *, depthwise: bool = False) -> openvino.Node:
    weights = DRAW.normal(size=(out, 1, 1, side, side) if depthwise else (out, CHANNELS, side, side)).astype(np.float32)
    make = ops.group_convolution if depthwise else ops.convolution
    edge = side // 2
    made: openvino.Node = make(x, ops.constant(weights / side), [1, 1], [edge, edge], [edge, edge], [1, 1])
    return made


def separable(*, overheard: bool = False) -> openvino.Model:
    """A dense convolution, then a depthwise one that two others read; `overheard`, the result shows it as well."""
    x = ops.parameter([1, CHANNELS, SIDE, SIDE], np.float32, name=INPUT)
    x.output(0).set_names({INPUT})
    dense = ops.relu(convolution(x, CHANNELS, 3))
    depthwise = convolution(dense, CHANNELS, 3, depthwise=True)
    outputs = [convolution(depthwise, 8), convolution(depthwise, CHANNELS)]
    return openvino.Model([*outputs, *([depthwise] if overheard else [])], [x])


def inputs(count: int, seed: int) -> list[NDArray[np.float32]]:
    """Channels of very different loudness."""
    draw, loudness = np.random.default_rng(seed), np.geomspace(0.01, 10, CHANNELS).reshape(1, -1, 1, 1)
    return [(loudness * draw.normal(size=(1, CHANNELS, SIDE, SIDE))).astype(np.float32) for _ in range(count)]


def answers(model: openvino.Model, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [value.copy() for value in compiled(x).values()]


def drawn_in_integers(model: openvino.Model) -> int:
    """How many of its convolutions this machine really computes so."""
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    return sum(
        "Convolution" in str(kind["layerType"].value) and "I8" in str(kind["primitiveType"].value).upper() for kind in kinds
    )


def in_integers(model: openvino.Model, steps: Steps) -> openvino.Model:
    clone = model.clone()
    use_steps(clone, steps)
    return clone


@pytest.mark.parametrize("overheard", [False, True])
def test_answers_stay_what_they_were_for_everyone(overheard: bool) -> None:
    model = separable(overheard=overheard)
    steps = measured_steps(model.clone(), {}, inputs(3, seed=0), "all")
    assert [len(step) for step in steps.values()] == [CHANNELS, CHANNELS]
    integers = in_integers(model, steps)
    (x,) = inputs(1, seed=7)
    for expected, found in zip(answers(model, x), answers(integers, x), strict=True):
        error = np.square(found - expected).mean() / np.square(expected).mean()
        assert error < 2e-3


def test_all_three_convolutions_are_computed_in_integers_here() -> None:
    if "INT8" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no integers for OpenVINO")
    model = separable()
    assert drawn_in_integers(model) == 0
    assert drawn_in_integers(in_integers(model, measured_steps(model.clone(), {}, inputs(2, seed=0), "all"))) == 3


def test_the_largest_products_of_all_are_summed_right() -> None:
    """Processors that know no VNNI cut off sums of two products that 16 bits do not hold."""
    x = ops.parameter([1, CHANNELS, SIDE, SIDE], np.float32, name=INPUT)
    x.output(0).set_names({INPUT})
    weights = np.ones((CHANNELS, CHANNELS, 3, 3), np.float32)
    model = openvino.Model([ops.convolution(x, ops.constant(weights), [1, 1], [1, 1], [1, 1], [1, 1])], [x])
    loudest = np.ones((1, CHANNELS, SIDE, SIDE), np.float32)
    steps = measured_steps(model.clone(), {}, [loudest], "all")
    (expected,), (found,) = answers(model, loudest), answers(in_integers(model, steps), loudest)
    assert np.allclose(found, expected, rtol=0.02)


def test_convolutions_behind_depthwise_ones_can_be_left_out() -> None:
    model = separable()
    steps = measured_steps(model.clone(), {}, inputs(2, seed=0), "head")
    assert len(steps) == 1
    kinds = [node.get_type_name() for node in in_integers(model, steps).get_ordered_ops()]
    assert kinds.count("FakeQuantize") == 2  # what it reads, and its weights


def test_what_reads_the_features_can_be_left_out() -> None:
    x = ops.parameter([1, CHANNELS, SIDE, SIDE], np.float32, name=INPUT)
    x.output(0).set_names({INPUT})
    model = openvino.Model([convolution(ops.relu(convolution(x, CHANNELS)), 8, 3)], [x])
    assert len(measured_steps(model.clone(), {}, inputs(2, seed=0), "head")) == 2
    hidden = measured_steps(model.clone(), {}, inputs(2, seed=0), "hidden")
    assert len(hidden) == 1
    kinds = [node.get_type_name() for node in in_integers(model, hidden).get_ordered_ops()]
    assert kinds.count("FakeQuantize") == 2  # what the second convolution reads, and its weights


def test_quiet_channels_are_heard_beside_loud_ones() -> None:
    """As scaled towards each other, not each with the step of the loudest."""
    model = separable()
    (step, _) = measured_steps(model.clone(), {}, inputs(2, seed=0), "all").values()
    assert step[-1] / step[0] > 10  # loudest and quietest: a thousand in the input, its root in the steps


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_a_cut_lies_within_the_values_and_rounds_well(values: Sequence[float]) -> None:
    array = np.array(values, np.float32)
    cut = best_cut(array)
    assert 0 < cut <= max(float(np.abs(array).max()), 1e-6) * (1 + 1e-6)


def test_a_rare_loud_value_is_cut_off_but_an_even_spread_is_not() -> None:
    even = np.linspace(-1, 1, 50_000, dtype=np.float32)
    assert best_cut(even) > 0.95
    spread = np.random.default_rng(0).laplace(size=50_000).astype(np.float32)
    assert best_cut(spread) < np.abs(spread).max()


def test_steps_are_measured_once_and_again_if_damaged(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(engine_openvino.onnx_file(pixels[256]).read_bytes())
    monkeypatch.setattr(engine_openvino, "onnx_file", lambda _: graph)
    monkeypatch.setattr(engine_openvino, "LOOKED_AT", range(100, 102))
    first = known_steps(pixels[256])
    (kept,) = tmp_path.glob("*.steps")
    with monkeypatch.context() as patch:
        patch.setattr(engine_openvino, "measured_steps", lambda *_, **__: pytest.fail("measured twice"))
        assert all(np.array_equal(step, first[name]) for name, step in known_steps(pixels[256]).items())
    kept.write_bytes(b"no steps")
    again = known_steps(pixels[256])
    assert "damaged" in caplog.text
    assert all(np.array_equal(step, first[name]) for name, step in again.items())


@pytest.mark.parametrize(("size", "quality"), [(256, "fast"), (256, "fine")])
def test_faces_that_were_not_looked_at_stay_true(graphs: dict[tuple[int, Quality], Pixels], size: int, quality: Quality) -> None:
    pixels = graphs[size, quality]
    faces = faces_of(pixels, range(40, 44))
    with OpenVinoBackend(pixels, "f32") as floats, OpenVinoBackend(pixels, f"{INTEGERS}f32") as integers:
        pictures = [np.stack([backend.render(ws) for ws in faces]) for backend in (floats, integers)]
    assert np.isfinite(psnr(*pictures))  # it does draw otherwise
    assert psnr(*pictures) > engine_openvino.TRUE_ENOUGH


@pytest.mark.parametrize("way", HEADS, ids=str)
def test_a_loud_place_gets_no_grid(graphs: dict[tuple[int, Quality], Pixels], way: tuple[int, Quality]) -> None:
    """A white wall, louder than all that is looked at: cut off too early, it is a chessboard."""
    pixels = graphs[way]
    (ws,) = faces_of(pixels, range(50_009, 50_010))
    boards = []
    for precision in ("f32", f"{INTEGERS}f32"):
        with OpenVinoBackend(pixels, precision) as backend:
            times = pixels.size // 256
            wall = backend.render(ws)[60 * times : 140 * times, 200 * times :].astype(float)
        boards.append(np.abs(np.diff(np.diff(wall, axis=0), axis=1)).mean())
    assert boards[1] < 1.5 * boards[0]


def test_where_integers_fail_floats_draw(pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("this processor's plugin knows no such layer")

    monkeypatch.setattr(engine_openvino.cache, "recall", lambda *_: None)
    monkeypatch.setattr(engine_openvino.cache, "remember", lambda *_: None)
    monkeypatch.setattr(engine_openvino, "use_steps", failing)
    assert not measured_precision(pixels[256]).startswith(INTEGERS)


def test_the_whole_generator_never_draws_in_integers(
    graphs: dict[tuple[int, Quality], Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_openvino.cache, "recall", lambda *_: None)
    monkeypatch.setattr(engine_openvino.cache, "remember", lambda *_: None)
    monkeypatch.setattr(engine_openvino, "known_steps", lambda _: pytest.fail("integers were tried"))
    assert not measured_precision(graphs[256, "full"]).startswith(INTEGERS)
