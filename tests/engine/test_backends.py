"""What every backend promises, held against each one that this machine can open."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import onnxruntime, openvino
from engine.backend import Backend
from engine.export import graph_key, onnx_file
from engine.onnxruntime import PROVIDERS, OnnxRuntimeBackend, Provider, onnxruntime_module, open_onnxruntime
from engine.openvino import OpenVinoBackend
from engine.pytorch import TorchOnCpu
from models.errors import UserError
from models.judge.fidelity import psnr
from models.openvino_core import openvino_core
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels


def faces(generator: MobileStyleGAN, *seeds: int) -> list[NDArray[np.float32]]:
    return [generator.broadcast(generator.code_of_seed(seed)).numpy() for seed in seeds]


CPU = PROVIDERS[-1]
OPENERS: dict[str, Callable[[Pixels], Backend]] = {
    "openvino": lambda pixels: OpenVinoBackend(pixels, "f32"),
    "onnxruntime": lambda pixels: OnnxRuntimeBackend(pixels, CPU),
    "torch": TorchOnCpu,
}


@pytest.fixture(scope="module", params=OPENERS)
def backend(request: pytest.FixtureRequest, pixels: dict[int, Pixels]) -> Iterator[Backend]:
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install the extra onnxruntime")
    with OPENERS[request.param](pixels[256]) as opened:
        yield opened


def test_pictures_are_those_of_the_module(backend: Backend, generator: MobileStyleGAN, pixels: dict[int, Pixels]) -> None:
    for ws in faces(generator, 1000, 1001):
        expected = pixels[256](torch.from_numpy(ws)).numpy()
        assert np.abs(backend.render(ws).astype(int) - expected).max() <= 1


def test_a_picture_is_the_callers_own(backend: Backend, generator: MobileStyleGAN) -> None:
    first, second = faces(generator, 1, 2)
    picture = backend.render(first)
    kept = picture.copy()
    backend.render(second)
    assert np.array_equal(picture, kept)
    assert picture.flags.writeable


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 24), min_size=0, max_size=4))
def test_other_shapes_are_refused(backend: Backend, shape: list[int]) -> None:
    with pytest.raises(ValueError, match="was expected"):
        backend.render(np.zeros(shape, np.float32))


def test_float64_and_strided_codes_are_taken(backend: Backend, generator: MobileStyleGAN) -> None:
    (ws,) = faces(generator, 3)
    wide = np.repeat(ws.astype(np.float64), 2, axis=2)[:, :, ::2]
    assert np.array_equal(backend.render(wide), backend.render(ws))


def test_a_closed_backend_draws_no_more_and_closes_again_in_peace(pixels: dict[int, Pixels], generator: MobileStyleGAN) -> None:
    with TorchOnCpu(pixels[256]) as backend:
        backend.close()
        backend.close()
        with pytest.raises(RuntimeError, match="closed"):
            backend.render(*faces(generator, 1))


def test_openvino_in_its_measured_precision_stays_true(
    pixels: dict[int, Pixels], generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: dict[str, object] = {}
    monkeypatch.setattr(openvino.cache, "recall", lambda subject, key: notes.get(subject))
    monkeypatch.setattr(openvino.cache, "remember", lambda subject, key, value: notes.update({subject: value}))
    precision = openvino.measured_precision(pixels[256])
    assert notes == {"openvino_precision_256_fine": precision}
    monkeypatch.setattr(openvino, "OpenVinoBackend", lambda *_: pytest.fail("measured twice"))
    assert openvino.measured_precision(pixels[256]) == precision
    with OpenVinoBackend(pixels[256], precision) as backend:
        (ws,) = faces(generator, 77)
        assert psnr(pixels[256](torch.from_numpy(ws)).numpy(), backend.render(ws)) >= openvino.TRUE_ENOUGH


def test_all_noise_is_fed_and_not_multiplied_into_every_channel(pixels: dict[int, Pixels]) -> None:
    model = openvino_core().read_model(onnx_file(pixels[256]))
    planes = openvino.noise_as_inputs(model)
    assert sorted(plane.shape[2] for plane in planes.values()) == sorted([8, 16, 32, 64, 128] * 2)
    assert {i.any_name for i in model.inputs} == {"ws", *planes}
    generator = pixels[256].generator
    expected = [noise for name, noise in generator.named_buffers() if name.endswith("noise") and 4 < noise.shape[2] < 256]
    for noise in expected:
        assert any(np.array_equal(noise.numpy(), plane) for plane in planes.values())


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09" * 500])
def test_a_damaged_graph_is_refused_in_one_line_that_names_it(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(openvino, "onnx_file", lambda _: path)
    monkeypatch.setattr(onnxruntime, "onnx_file", lambda _: path)
    for name in ("openvino", "onnxruntime"):
        with pytest.raises(UserError, match=r"graph\.onnx.* exported anew") as caught:
            OPENERS[name](pixels[256])
        assert "\n" not in str(caught.value)


def test_onnx_runtime_knows_the_providers_in_the_table() -> None:
    ort = pytest.importorskip("onnxruntime")
    assert {provider.name for provider in PROVIDERS if not provider.plugin} <= set(ort.get_all_providers())
    assert PROVIDERS[-1].name in ort.get_available_providers()


def test_the_half_precision_graph_of_gpus_stays_true_in_onnx_runtime(
    pixels: dict[int, Pixels], generator: MobileStyleGAN
) -> None:
    pytest.importorskip("onnxruntime")
    (ws,) = faces(generator, 77)
    with OnnxRuntimeBackend(pixels[256], Provider(CPU.name, "", half=True)) as backend:
        assert "f16" in backend.description
        assert psnr(pixels[256](torch.from_numpy(ws)).numpy(), backend.render(ws)) >= 40


def test_the_first_provider_that_draws_is_taken_and_a_quiet_change_to_the_cpu_is_noticed(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    ort = pytest.importorskip("onnxruntime")
    cuda, plugin = Provider("CUDAExecutionProvider", "CUDA", half=False), Provider("x", "X", half=False, plugin="no_such_plugin")
    monkeypatch.setattr(onnxruntime, "PROVIDERS", (plugin, cuda, CPU))
    with open_onnxruntime(pixels[256]) as backend:
        assert ort.__version__ in backend.description
        assert "f32" in backend.description
    with pytest.raises(UserError, match=r"not installed .*pip install no-such-plugin"):
        OnnxRuntimeBackend(pixels[256], plugin)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [cuda.name, CPU.name])
    session = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda graph, options, **_: session(graph, options, providers=[CPU.name]))
    with pytest.raises(UserError, match=r"CUDAExecutionProvider can't be used here"):
        OnnxRuntimeBackend(pixels[256], cuda)
    monkeypatch.setattr(onnxruntime, "PROVIDERS", (cuda, plugin))
    with pytest.raises(UserError, match=r"CUDAExecutionProvider.*no-such-plugin"):
        open_onnxruntime(pixels[256])


def test_what_providers_compile_is_kept_for_each_graph_and_version(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "compiled_folder", lambda *names: tmp_path.joinpath(*names))
    kept = [set(provider.options(pixels[256], "1.32").values()) for provider in PROVIDERS]
    folder = str(tmp_path / "onnxruntime" / "1.32" / graph_key(pixels[256]))
    assert [folder in options for options in kept] == [True, False, False, True, False]


def test_an_onnx_runtime_plugin_is_registered_once_and_opened_on_its_own_device(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    ort = pytest.importorskip("onnxruntime")
    registered: list[tuple[str, str]] = []
    (cpu,) = (device for device in ort.get_ep_devices() if device.ep_name == CPU.name)
    monkeypatch.setitem(sys.modules, "a_plugin", SimpleNamespace(get_library_path=lambda: "/library.so"))
    monkeypatch.setattr(ort, "register_execution_provider_library", lambda *names: registered.append(names))
    monkeypatch.setattr(ort, "get_ep_devices", lambda: [cpu] * len(registered))
    for _ in range(2):
        with OnnxRuntimeBackend(pixels[256], Provider(CPU.name, "the plugin", half=False, plugin="a_plugin")) as backend:
            assert "the plugin" in backend.description
    assert registered == [(CPU.name, "/library.so")]
    with pytest.raises(UserError, match="finds no GPU"):
        OnnxRuntimeBackend(pixels[256], Provider("another", "", half=False, plugin="a_plugin"))


def test_a_device_that_fails_while_drawing_is_a_runtime_error(pixels: dict[int, Pixels], generator: MobileStyleGAN) -> None:
    ort = pytest.importorskip("onnxruntime")
    with OnnxRuntimeBackend(pixels[256], CPU) as backend:

        def lost(*_: object) -> None:
            raise ort.capi.onnxruntime_pybind11_state.EPFail("the device is gone")

        backend._session = SimpleNamespace(run=lost)
        with pytest.raises(RuntimeError, match="the device is gone"):
            backend.render(*faces(generator, 1))


def test_onnx_runtime_not_installed_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'speech2expression\[onnxruntime\]'"):
        onnxruntime_module()
