"""StyleGAN2 and StyleGAN3 through the same engines as the default generator: one graph, finished pixels, TensorRT builds it."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from full_size_engines import DRAWN, LAYOUTS, Read, config_of, read_and_build
from reference_generators import OFFICIAL, REFERENCE, reference_generator

from engine import export, openvino
from engine.choose import open_backend
from engine.export import onnx_file
from engine.onnxruntime import PROVIDERS, OnnxRuntimeBackend
from engine.openvino import OpenVinoBackend, noise_as_inputs
from engine.pytorch import TorchOnCpu
from engine.tensorrt import Network
from models.errors import UserError
from models.judge.fidelity import psnr
from models.openvino_core import openvino_core
from models.stylegan.checkpoint import build, read_checkpoint, shapes
from models.stylegan.pixels import Pixels
from models.stylegan.stylegan2 import HALF_RESOLUTIONS, StyleGan2, StyleGan2Config

PLAIN = (
    {"Abs", "Add", "Cast", "Clip", "Concat", "Conv", "ConvTranspose", "Div", "Gather", "Gemm", "LeakyRelu", "MatMul", "Mul"}
    | {"Neg", "Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceSum", "Sin", "Slice", "Split", "Sqrt", "Sub", "Transpose"}
    | {"Unsqueeze", "AveragePool", "Squeeze", "Reshape", "Identity"}
)


@pytest.fixture(scope="module", params=OFFICIAL)
def pixels(request: pytest.FixtureRequest) -> Pixels:
    return Pixels(reference_generator(request.param), 32).eval()


def every_row_another(pixels: Pixels) -> torch.Tensor:
    generator = pixels.generator
    return torch.stack([generator.code_of_seed(seed)[0] for seed in range(generator.num_ws)])[None]


def test_bytes_are_the_rounded_picture(pixels: Pixels) -> None:
    ws = every_row_another(pixels)
    expected = ((pixels.generator.synthesis(ws)[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
    picture = pixels(ws)
    assert picture.dtype == torch.uint8
    assert (picture.float() - expected).abs().max() <= 1
    assert len(picture.unique()) > 100


def test_the_graph_is_of_plain_operations_and_draws_the_same_in_openvino(pixels: Pixels) -> None:
    ws = every_row_another(pixels).numpy()
    expected = pixels(torch.from_numpy(ws)).numpy()
    with OpenVinoBackend(pixels, "f32") as backend, TorchOnCpu(pixels) as other:
        assert np.abs(backend.render(ws).astype(int) - expected).max() <= 1
        assert np.array_equal(other.render(ws), expected)
        with pytest.raises(ValueError, match=r"\(1, \d+, 64\) was expected"):
            backend.render(np.zeros((1, pixels.generator.num_ws, 512), np.float32))
    graph = onnx.load(onnx_file(pixels)).graph
    assert {node.op_type for node in graph.node} <= PLAIN
    assert [(end.name, [d.dim_value for d in end.type.tensor_type.shape.dim]) for end in (*graph.input, *graph.output)] == [
        ("ws", [1, pixels.generator.num_ws, 64]),
        ("pixels", [32, 32, 3]),
    ]


def test_onnx_runtime_draws_the_same(pixels: Pixels) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install the extra onnxruntime")
    ws = every_row_another(pixels).numpy()
    with OnnxRuntimeBackend(pixels, PROVIDERS[-1]) as backend:
        assert np.abs(backend.render(ws).astype(int) - pixels(torch.from_numpy(ws)).numpy()).max() <= 1


def test_noise_of_stylegan2_is_fed_to_openvino_and_not_multiplied_into_every_channel() -> None:
    pixels = Pixels(reference_generator("sg2-32"), 32).eval()
    planes = noise_as_inputs(openvino_core().read_model(onnx_file(pixels)))
    assert sorted(plane.shape[2] for plane in planes.values()) == [8, 8, 16, 16, 32, 32]


def test_openvino_finds_what_it_compiled_whatever_was_read_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names that count the nodes of the whole process would make another network of it each time."""
    pixels = Pixels(reference_generator("sg2-32"), 32).eval()
    monkeypatch.setattr(openvino.cache, "compiled_folder", lambda *_: tmp_path)
    for _ in range(2):
        OpenVinoBackend(pixels, "f32").close()
    assert len(list(tmp_path.rglob("*.blob"))) == 1


def test_another_clamp_is_another_graph() -> None:
    wide, narrow = (
        StyleGan2(StyleGan2Config(resolution=8, z_dim=4, w_dim=4, mapping_layers=1, channels=[4, 4], conv_clamp=clamp))
        for clamp in (None, 1.0)
    )
    narrow.load_state_dict(wide.state_dict())
    assert wide.graph_hash != narrow.graph_hash
    assert export.graph_key(Pixels(wide, 8)) != export.graph_key(Pixels(narrow, 8))


def test_a_size_that_the_generator_does_not_draw_is_refused() -> None:
    with pytest.raises(UserError, match=r"256 pixels wide was asked for; choose one of 32$"):
        open_backend(reference_generator("sg3t-32"), 256)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, int], Future[Read]]]:
    """All full-size networks, read and built in processes of their own, two at a time (1.3 GB each)."""
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed: the extra tensorrt-rtx")
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    yield {(name, size): pool.submit(read_and_build, name, size, tmp_path_factory.mktemp("graph")) for name, size in DRAWN}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("name", "size"), DRAWN)
def test_every_full_size_graph_is_read_by_tensorrt_typed_as_meant_and_built(
    name: str, size: int, read: dict[tuple[str, int], Future[Read]]
) -> None:
    config, graph = config_of(LAYOUTS[name]["arguments"]), read[name, size].result()
    rows = LAYOUTS[name]["num_ws"]
    assert graph.inputs == [("ws", "FLOAT", [1, rows, 512])]
    assert graph.outputs == [("pixels", "UINT8", [size, size, 3])]
    if isinstance(config, StyleGan2Config):
        blocks = len(config.channels)
        # In float32 stays the picture so far (three channels), which every block but the first doubles; and, where nothing is
        # clamped, all blocks but the four largest.
        single = 0 if config.conv_clamp is not None else blocks - HALF_RESOLUTIONS
        kinds = {
            ("CONVOLUTION", "HALF"): 3 * (blocks - single) - (single == 0),
            ("DECONVOLUTION", "HALF"): blocks - max(single, 1),
            ("CONVOLUTION", "FLOAT"): max(3 * single - 1, 0),
            ("DECONVOLUTION", "FLOAT"): blocks - 1 + max(single - 1, 0),
        }
        assert graph.convolutions == {kind: count for kind, count in kinds.items() if count}
        assert max((shape[2] for _, shape in graph.single), default=0) < config.resolution >> (blocks - single - 1)
        assert graph.layers < 140 * blocks
    else:
        filtered = config.layers[:-1]  # each up, along and across, and down, at once where its filter is round
        down = sum(1 if layer.radial else 2 for layer in filtered)
        halved = {("CONVOLUTION", "HALF"): len(config.layers) + down, ("DECONVOLUTION", "HALF"): 2 * len(filtered)}
        # In float32 stay the waves that it starts with, and their mixing.
        assert graph.convolutions == {**halved, ("CONVOLUTION", "FLOAT"): 1}
        first = config.layers[0]
        assert {shape[1] for _, shape in graph.single} == {first.in_channels}
        assert max(shape[2] * shape[3] for _, shape in graph.single) == first.in_size**2
        assert graph.layers < 55 * len(config.layers)
    weights = sum(np.prod(shape) for tensor, shape in shapes(config).items() if tensor.endswith("weight") and len(shape) == 4)
    assert graph.plan > 2 * weights  # they are in it, in half precision


def test_half_precision_draws_the_same_picture(pixels: Pixels) -> None:
    ws = every_row_another(pixels)
    assert psnr(pixels(ws).numpy(), pixels.in_half_precision()(ws).numpy()) >= 40


def test_a_shrunk_picture_is_the_average_in_every_engine() -> None:
    """What a show draws of a generator that is larger than the picture asked for."""
    trt = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed: the extra tensorrt-rtx")
    checkpoint = read_checkpoint(REFERENCE / "rosinality-64.pt")
    generator = build(checkpoint.config, checkpoint.tensors)
    pixels = Pixels(generator, 32).eval()
    ws = every_row_another(pixels)
    expected = torch.nn.functional.avg_pool2d(generator.synthesis(ws), 2)[0].permute(1, 2, 0)
    expected = (expected.clamp(-1, 1) + 1) * 127.5
    with OpenVinoBackend(pixels, "f32") as backend:
        assert np.abs(backend.render(ws.numpy()) - expected.numpy()).max() <= 1
    assert Network(trt, onnx_file(pixels.in_half_precision())).build(("8.9",), lambda _: None)


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="running an engine needs an NVIDIA GPU and its driver")
def test_an_engine_draws_what_the_module_draws(pixels: Pixels) -> None:
    from engine.tensorrt import open_tensorrt

    ws = every_row_another(pixels)
    with open_tensorrt(pixels) as backend:
        assert psnr(pixels(ws).numpy(), backend.render(ws.numpy())) >= 40
