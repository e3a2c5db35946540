"""Convolutions in 8-bit integers, for OpenVINO: each takes about half of its time in bfloat16.

Weights are rounded per output channel, what they read per tensor, in steps that are measured on some faces. Two things make that
true enough for pictures. A tensor is cut off where rounding and cutting off together err least, not at its largest value. And
channels are scaled towards each other first, against the weights that read them (Xiao et al. 2023, SmoothQuant, with its α of
one half): behind a depthwise convolution that costs nothing, for its own weights take the scale in.

Processors that know no VNNI add two products in 16 bits and cut off what does not fit; there weights have seven bits.
"""

import functools
import hashlib
import inspect
import sys
from collections.abc import Iterable
from typing import Any, Final, Literal

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from engine.export import INPUT
from models.openvino_core import openvino_core

SIDE: Final = 64  # positions, from which on a convolution is worth it: early ones are quick, and all later ones hear their errors
CHANNELS: Final = 32  # that it reads, at least
POSITIONS: Final = 1500  # of every face that are looked at
VALUES: Final = 60_000  # of those that decide where to cut
CUTS: Final = np.linspace(0.3, 1.0, 36)  # that are tried, in shares of the largest value
HEADROOM: Final = 1.25  # beyond that for a head's own layers: what they cut off shows as a grid
MOST: Final = 127  # as an integer

Rounded = Literal["all", "head", "hidden"]
"""Which convolutions: all that are large enough, those that are not behind a depthwise one, as the generator's own are, and of
these only those of 3×3: a head's hidden layers, but not what reads the generator's features."""

Steps = dict[str, NDArray[np.float32]]
"""Of every tensor that convolutions read, by the first of them: how much one integer step is worth in each channel (C,)."""


def measured_steps(
    model: openvino.Model,
    planes: dict[str, NDArray[np.float32]],
    faces: Iterable[NDArray[np.float32]],
    rounded: Rounded,
) -> Steps:
    """The steps of the `rounded` convolutions of `model` on `faces`, each (1, num_ws, w_dim); `planes` are its other inputs."""
    readers = {name: convolutions for name, convolutions in _readers(model).items() if _is_rounded(convolutions, rounded)}
    results = [ops.result(convolutions[0].input_value(0)) for convolutions in readers.values()]
    looked_into = openvino.Model(results, model.get_parameters())
    request = openvino_core().compile_model(looked_into, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    draw = np.random.default_rng(0)
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in readers}
    largest = dict.fromkeys(readers, np.full(1, 1e-6, np.float32))
    for ws in faces:
        request.infer({INPUT: ws, **planes})
        for i, name in enumerate(readers):
            values = request.get_output_tensor(i).data[0]
            values = values.reshape(len(values), -1)
            largest[name] = np.maximum(largest[name], np.abs(values).max(axis=1))
            seen[name].append(values[:, draw.integers(values.shape[1], size=POSITIONS)])
    steps = {}
    for name, convolutions in readers.items():
        heard = np.max([np.abs(_weights(node)).max(axis=(0, 2, 3)) for node in convolutions], axis=0)
        scale = np.sqrt(largest[name] / np.maximum(heard, 1e-9))
        cut = best_cut(np.concatenate(seen[name], axis=1) / scale[:, None])
        if not _behind_depthwise(convolutions):
            cut *= HEADROOM
        steps[name] = (scale * cut / MOST).astype(np.float32)
    return steps


def use_steps(model: openvino.Model, steps: Steps) -> None:
    """Let the convolutions of `model` that are in `steps` read and weigh in integers."""
    for name, convolutions in _readers(model).items():
        if name not in steps:
            continue
        step = steps[name]
        source = convolutions[0].input_value(0)
        if _scalable(convolutions):
            before = source.get_node()
            factors = ops.constant((1 / step).reshape(-1, 1, 1, 1, 1))
            before.input(1).replace_source_output(ops.multiply(before.input_value(1), factors).output(0))
        else:
            source = ops.multiply(source, ops.constant((1 / step).reshape(1, -1, 1, 1))).output(0)
        integers = ops.fake_quantize(source, *_ends(-MOST - 1, MOST), 2 * MOST + 2)
        for node in convolutions:
            weights = _weights(node) * step[:, None, None]
            largest = np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), 1e-12)
            node.input(0).replace_source_output(integers.output(0))
            node.input(1).replace_source_output(_rounded(weights, largest, halved=sums_overflow()).output(0))


@functools.cache
def sums_overflow() -> bool:
    """Whether this processor gets sums of large products wrong unless weights are halved: tried once, on one convolution."""
    reads = ops.parameter([1, CHANNELS, 4, 4], np.float32)
    integers = ops.fake_quantize(reads, *_ends(-MOST - 1, MOST), 2 * MOST + 2)
    ones = np.ones((CHANNELS, CHANNELS, 1, 1), np.float32)
    summed = ops.convolution(integers, _rounded(ones, ones[:, :1], halved=False), [1, 1], [0, 0], [0, 0], [1, 1])
    compiled = openvino_core().compile_model(openvino.Model([summed], [reads]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (sums,) = compiled(np.full((1, CHANNELS, 4, 4), MOST, np.float32)).values()
    return not np.allclose(sums, MOST * CHANNELS, rtol=0.01)


def recipe() -> str:
    """Changes with this module: with how steps are measured and used (8 hex digits)."""
    return hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:8]


def best_cut(values: NDArray[Any]) -> float:
    """Where to cut `values` off, on both sides, so that they are truest once they are rounded.

    In the fourth power: in the square, the few faces whose loudest places are cut off pay for all others.
    """
    largest = max(float(np.abs(values).max()), 1e-6)
    some = values.ravel()[:: max(1, values.size // VALUES)]
    errors = []
    for cut in largest * CUTS:
        step = cut / MOST
        errors.append(np.mean((np.clip(np.round(some / step), -MOST - 1, MOST) * step - some) ** 4))
    return largest * float(CUTS[np.argmin(errors)])


def _readers(model: openvino.Model) -> dict[str, list[openvino.Node]]:
    """The dense convolutions (1×1 too) that are large enough, in the order in which they draw: those that read the same tensor
    together, by the name of the first."""
    readers: dict[tuple[str, int], list[openvino.Node]] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            side, channels = node.output(0).get_shape()[2], node.input_value(1).get_shape()[1]
            if side >= SIDE and channels >= CHANNELS:
                source = node.input_value(0)
                readers.setdefault((source.get_node().get_name(), source.get_index()), []).append(node)
    return {convolutions[0].get_friendly_name(): convolutions for convolutions in readers.values()}


def _is_rounded(convolutions: list[openvino.Node], rounded: Rounded) -> bool:
    """Convolutions that read the same tensor."""
    if rounded == "all":
        return True
    return not _behind_depthwise(convolutions) and (rounded == "head" or _weights(convolutions[0]).shape[2] > 1)


def _scalable(convolutions: list[openvino.Node]) -> bool:
    """Whether what they read is a depthwise convolution's, whose weights can scale every channel, and nobody else reads it."""
    return _behind_depthwise(convolutions) and len(convolutions[0].input_value(0).get_target_inputs()) == len(convolutions)


def _behind_depthwise(convolutions: list[openvino.Node]) -> bool:
    kind: str = convolutions[0].input_value(0).get_node().get_type_name()
    return kind == "GroupConvolution"


def _weights(convolution: openvino.Node) -> NDArray[np.float32]:
    """(C_out, C_in, k, k)"""
    weights: NDArray[np.float32] = convolution.input_value(1).get_node().data
    return weights


def _rounded(weights: NDArray[np.float32], largest: NDArray[np.float32], *, halved: bool) -> openvino.Node:
    """Weights in integers of up to `MOST`, or half of it, for the `largest`."""
    end = 2 * largest if halved else largest
    return ops.fake_quantize(ops.constant(weights), *_ends(-end, end), 2 * MOST + 1)


def _ends(low: NDArray[np.float32] | float, high: NDArray[np.float32] | float) -> list[openvino.Node]:
    """From what to what it is rounded, and the same for what comes out."""
    return [ops.constant(np.asarray(end, np.float32)) for end in (low, high, low, high)]
