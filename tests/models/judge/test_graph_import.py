"""Networks that OpenVINO reads, as torch modules: the same numbers, and a gradient."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from openvino import opset13 as ops

from models.errors import UserError
from models.judge.graph_import import GraphModule
from models.openvino_core import openvino_core


def saved(folder: Path, output: openvino.Output, *inputs: openvino.Node) -> Path:
    path = folder / "network.xml"
    openvino.save_model(openvino.Model([output], list(inputs), "small"), path, compress_to_fp16=False)
    return path


def small_network(folder: Path) -> Path:
    """Every operator that MediaPipe's face mesh is made of, on 9 x 8 pixels, so that "same" padding is uneven."""
    random = np.random.RandomState(0)
    x = ops.parameter([1, 9, 8, 3], np.float32, "x")
    y = ops.transpose(x, np.array([0, 3, 1, 2]))
    weight = ops.convert(ops.constant(random.randn(6, 3, 3, 3).astype(np.float16)), "f32")
    y = ops.convolution(y, weight, [2, 2], [0, 0], [0, 0], [1, 1], "same_upper")
    y = ops.add(y, ops.unsqueeze(ops.constant(random.randn(6).astype(np.float32)), np.array([0, 2, 3])))
    y = ops.prelu(y, ops.constant(random.rand(1, 6, 1, 1).astype(np.float32)))
    each = ops.constant(random.randn(6, 1, 1, 3, 3).astype(np.float32))
    y = ops.group_convolution(y, each, [1, 1], [1, 1], [1, 1], [1, 1], "same_upper")
    wider = ops.pad(y, np.array([0, 0, 0, 0]), np.array([0, 2, 0, 0]), "constant", ops.constant(np.float32(0)))
    y = ops.max_pool(wider, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor", "valid").output(0)
    y = ops.sigmoid(ops.reshape(y, np.array([0, -1]), special_zero=True))
    return saved(folder, y.output(0), x)


def small_mixer(folder: Path) -> Path:
    """The operators that only MediaPipe's blendshapes are made of, on as many numbers."""
    x = ops.parameter([1, 9, 8, 3], np.float32, "x")
    apart = ops.subtract(x, ops.reduce_mean(x, np.array([1, 2]), keep_dims=True))
    far = ops.power(ops.reduce_sum(ops.multiply(apart, apart), np.array([3]), keep_dims=True), np.float32(0.5))
    y = ops.divide(apart, ops.reduce_mean(far, np.array([1, 2]), keep_dims=True))
    y = ops.add(y, ops.unsqueeze(ops.constant(np.arange(8, dtype=np.float32)), np.array([3, 0, 1])))
    y = ops.concat([y, ops.negative(ops.relu(ops.squared_difference(y, ops.constant(np.float32(0.5)))))], 3)
    begin, end, step = np.array([0, 1, 2, 0]), np.array([0, -1, 0, 5]), np.array([1, 2, 3, 2])
    y = ops.strided_slice(y, begin, end, step, [1, 0, 0, 1], [1, 0, 1, 0], [], [1, 0, 0, 0])
    return saved(folder, y.output(0), x)


@pytest.mark.parametrize("small", [small_network, small_mixer])
def test_the_torch_module_says_what_openvino_says(small: Callable[[Path], Path], tmp_path: Path) -> None:
    path = small(tmp_path)
    x = np.random.RandomState(1).randn(1, 9, 8, 3).astype(np.float32)
    compiled = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = next(iter(compiled(x).values()))
    tensor = torch.from_numpy(x).requires_grad_()
    (got,) = GraphModule(path)(tensor)
    assert got.shape == expected.shape
    assert np.abs(got.detach().numpy() - expected).max() < 1e-5
    (gradient,) = torch.autograd.grad(got.sum(), tensor)
    assert gradient.abs().max() > 0


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    x = ops.parameter([1, 3], np.float32, "x")
    with pytest.raises(UserError, match="unknown operator 'Erf'"):
        GraphModule(saved(tmp_path, ops.erf(x).output(0), x))


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mesh.tflite"
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"can't read the network .*mesh\.tflite"):
        GraphModule(path)
