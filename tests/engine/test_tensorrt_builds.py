"""Every graph through TensorRT's own parser and builder, which need no GPU; only running the engine does."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from engine import tensorrt
from engine.export import onnx_file
from engine.tensorrt import Network, engine_file, open_tensorrt, tensorrt_module
from models.errors import UserError
from models.stylegan.pixels import Pixels, Quality

trt = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed: pip install the extra tensorrt-rtx")


@pytest.mark.parametrize("way", [(256, "fast"), (256, "fine"), (256, "full"), (512, "fine"), (512, "full"), (1024, "full")])
def test_every_graph_is_read_typed_as_meant_and_built(
    graphs: dict[tuple[int, Quality], Pixels], way: tuple[int, Quality]
) -> None:
    network, size = Network(trt, onnx_file(graphs[way].in_half_precision())), way[0]
    graph = network.definition
    assert (graph.num_inputs, graph.num_outputs) == (1, 1)
    ws, picture = graph.get_input(0), graph.get_output(0)
    assert (ws.name, ws.dtype, tuple(ws.shape)) == ("ws", trt.DataType.FLOAT, (1, 23, 512))
    assert (picture.name, picture.dtype, tuple(picture.shape)) == ("pixels", trt.DataType.UINT8, (size, size, 3))

    layers = [graph.get_layer(i) for i in range(graph.num_layers)]
    heavy = [layer for layer in layers if layer.type in (trt.LayerType.CONVOLUTION, trt.LayerType.MATRIX_MULTIPLY)]
    assert len(heavy) > 45
    assert {layer.get_output(0).dtype for layer in heavy} == {trt.DataType.HALF}
    computed = [layer for layer in layers if layer.type != trt.LayerType.CONSTANT]  # casts of constants are folded by a build
    single = [layer for layer in computed if layer.get_output(0).dtype == trt.DataType.FLOAT]
    assert len(single) < 10  # the cast of ws, and scaling and clamping the finished picture

    phases: list[str] = []
    plan = network.build(("8.6", "12.0"), phases.append)
    assert len(plan) > 10_000_000  # the weights, in half precision, are in it
    assert phases


def test_engines_are_kept_under_what_they_depend_on(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graph = onnx_file(pixels[256].in_half_precision())
    monkeypatch.setattr(tensorrt, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(tensorrt, "onnx_file", lambda _: graph)
    first = engine_file(pixels[256], ("8.6",))
    written = first.stat().st_ino
    os.utime(first, (0, 0))
    assert engine_file(pixels[256], ("8.6",)).stat().st_ino == written
    assert first.stat().st_mtime > 0, "its use is noted"
    assert engine_file(pixels[256], ("8.9",)) != first
    assert trt.__version__ in first.name
    assert len(list(tmp_path.iterdir())) == 2


def test_an_engine_built_ahead_is_found_on_the_gpu_it_is_for(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graph = onnx_file(pixels[256].in_half_precision())
    monkeypatch.setattr(tensorrt, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(tensorrt, "onnx_file", lambda _: graph)
    ahead = engine_file(pixels[256], ("8.9", "8.6"))
    assert engine_file(pixels[256], ("8.6", "8.9", "8.9")) == ahead
    monkeypatch.setattr(tensorrt, "this_gpu", lambda: ("NVIDIA GeForce RTX 4070 Laptop GPU", "8.9", "580.95"))
    assert engine_file(pixels[256]) == ahead
    monkeypatch.setattr(tensorrt, "this_gpu", lambda: ("NVIDIA GeForce RTX 5090", "12.0", "580.95"))
    own = engine_file(pixels[256])
    assert own != ahead
    assert own.exists()


def test_a_build_can_be_interrupted(pixels: dict[int, Pixels]) -> None:
    network = Network(trt, onnx_file(pixels[256].in_half_precision()))
    monitor = tensorrt._progress_monitor(trt, lambda _: None)
    monitor.interrupted = True
    config = network.builder.create_builder_config()
    config.progress_monitor = monitor
    assert network.builder.build_serialized_network(network.definition, config) is None


PRESSED = """
import signal, sys
from pathlib import Path
from engine.tensorrt import Network, tensorrt_module

network, phases = Network(tensorrt_module(), Path(sys.argv[1])), []

def press(phase):
    phases.append(phase)
    signal.raise_signal(signal.SIGINT)

try:
    network.build(("8.6",), press)
except KeyboardInterrupt:
    print("ended by Ctrl-C", len(phases))
"""


def test_ctrl_c_ends_a_build_and_does_not_fly_through_tensorrt(pixels: dict[int, Pixels]) -> None:
    """In a process of its own, so that a Ctrl-C that does fly through TensorRT ends only that one."""
    graph = onnx_file(pixels[256].in_half_precision())
    done = subprocess.run([sys.executable, "-c", PRESSED, str(graph)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, seen = done.stdout.splitlines()[-1].rpartition(" ")
    phases: list[str] = []
    Network(trt, graph).build(("8.6",), phases.append)
    assert said == "ended by Ctrl-C"
    assert 0 < int(seen) < len(phases), "it was not built to the end"


def test_building_takes_no_more_than_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = trt.MemoryPoolType
    monkeypatch.setattr(tensorrt, "free_memory", lambda: 1 << 30)
    assert tensorrt._limits(pools) == {pools.WORKSPACE: 1 << 29, pools.TACTIC_DRAM: 1 << 29}
    monkeypatch.setattr(tensorrt, "free_memory", lambda: 80 << 30)
    assert tensorrt._limits(pools) == {pools.WORKSPACE: tensorrt.WORKSPACE, pools.TACTIC_DRAM: 32 << 30}
    config = trt.Builder(tensorrt._logger(trt)).create_builder_config()
    for pool, size in tensorrt._limits(pools).items():
        config.set_memory_pool_limit(pool, size)
        assert config.get_memory_pool_limit(pool) == size


def test_tensorrt_proper_builds_for_no_other_gpu() -> None:
    """Its builder's settings know no capabilities."""
    with pytest.raises(UserError, match=r"builds for the GPU at hand only, not for 8\.6, 8\.9: leave --for away"):
        tensorrt._set_capabilities(ModuleType("tensorrt"), SimpleNamespace(), ("8.6", "8.9"))


def test_times_of_kernels_are_kept_from_build_to_build(tmp_path: Path) -> None:
    """As TensorRT proper is told; TensorRT for RTX measures none, so a stand-in builds here."""
    given: list[object] = []
    cache = SimpleNamespace(serialize=lambda: b"times")
    config = SimpleNamespace(
        set_memory_pool_limit=lambda *_: None,
        create_timing_cache=lambda content: given.append(content) or cache,
        set_timing_cache=lambda *arguments: given.append(arguments),
        get_timing_cache=lambda: cache,
    )
    network = Network.__new__(Network)
    network.trt = SimpleNamespace(MemoryPoolType=trt.MemoryPoolType, IProgressMonitor=trt.IProgressMonitor)
    network.builder = SimpleNamespace(create_builder_config=lambda: config, build_serialized_network=lambda *_: b"plan")
    network.definition = None
    for expected in (b"", b"times"):
        given.clear()
        assert network.build((), lambda _: None, tmp_path / "gpu.times") == b"plan"
        assert given == [expected, (cache, False)]
    assert (tmp_path / "gpu.times").read_bytes() == b"times"


def test_a_gpu_that_the_module_does_not_list_is_built_for_as_the_one_at_hand(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, ...]] = []
    graph = onnx_file(pixels[256].in_half_precision())
    monkeypatch.setattr(tensorrt, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(tensorrt, "onnx_file", lambda _: graph)
    monkeypatch.setattr(Network, "build", lambda self, capabilities, *_: asked.append(capabilities) or b"plan")
    for capability in ("9.0", "8.9"):
        monkeypatch.setattr(tensorrt, "this_gpu", lambda capability=capability: ("NVIDIA H200", capability, "580.95"))
        path = engine_file(pixels[256])
        assert f"_{capability}_" in path.name
        assert engine_file(pixels[256]) == path
    assert asked == [(), ("8.9",)]
    config = trt.Builder(tensorrt._logger(trt)).create_builder_config()
    tensorrt._set_capabilities(trt, config, ())
    assert config.num_compute_capabilities == 1
    assert config.get_compute_capability(0) == trt.ComputeCapability.CURRENT


def test_unknown_capabilities_are_refused_by_name(pixels: dict[int, Pixels]) -> None:
    network = Network(trt, onnx_file(pixels[256].in_half_precision()))
    with pytest.raises(UserError, match=r"compute capability 9\.9; choose from .*8\.6"):
        network.build(("9.9",), lambda _: None)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09" * 500])
def test_a_damaged_graph_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"TensorRT can't read the graph .*graph\.onnx"):
        Network(trt, path)


@pytest.mark.skipif(torch.cuda.is_available() or Path("/dev/nvidia0").exists(), reason="there is a GPU here: nothing to refuse")
def test_running_without_a_gpu_is_refused_in_one_line(pixels: dict[int, Pixels]) -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-python is not installed")
    with pytest.raises(UserError, match="no NVIDIA GPU can be used") as caught:
        open_tensorrt(pixels[256])
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="running an engine needs an NVIDIA GPU and its driver")
def test_an_engine_draws_what_the_module_draws(pixels: dict[int, Pixels]) -> None:
    generator = pixels[256].generator
    ws = generator.broadcast(generator.code_of_seed(1000))
    with open_tensorrt(pixels[256]) as backend:
        backend.warm_up()
        difference = backend.render(ws.numpy()).astype(float) - pixels[256](ws).numpy()
    assert (difference**2).mean() < 255**2 * 1e-4  # 40 dB


def test_neither_module_installed_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "MODULES", ("no_such_module_a", "no_such_module_b"))
    with pytest.raises(UserError, match=r"no_such_module_a.*no_such_module_b.*pip install"):
        tensorrt_module()
