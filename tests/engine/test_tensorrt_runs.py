"""How an engine is run, with a stand-in for GPU, driver and TensorRT: buffers, order of work, recording, caches, failures.

The stand-in keeps its "GPU's" memory on the host and does work in the order of the stream; while it records, it does none.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from engine import cuda, nvidia, tensorrt
from engine.tensorrt import TensorRtBackend
from models.errors import UserError
from models.stylegan.pixels import Pixels

SIZE, NUM_WS, W_DIM = 8, 3, 4
OK, FAILED = 0, 700


class Gpu:
    """CUDA's runtime as far as it is used, on host memory."""

    cudaStreamNonBlocking = 1  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice="to device", cudaMemcpyDeviceToHost="to host")  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")  # noqa: N815

    def __init__(self) -> None:
        self.memory: dict[int, Any] = {}
        self.recording: list[Callable[[], None]] | None = None
        self.held: list[str] = []
        self.launched = 0
        self.lost = self.records_nothing = False

    def cudaGetDeviceProperties(self, number: int) -> tuple[int, Any]:  # noqa: N802
        return OK, SimpleNamespace(name=b"NVIDIA Stand In", major=8, minor=9)

    def cudaDriverGetVersion(self) -> tuple[int, int]:  # noqa: N802
        return OK, 13000

    def cudaGetErrorString(self, error: int) -> tuple[int, bytes]:  # noqa: N802
        return OK, b"an illegal memory access was encountered"

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[int, int]:  # noqa: N802
        return self._new("stream", 7)

    def _new(self, what: str, value: int) -> tuple[int, int]:
        self.held.append(what)
        return OK, value

    def _memory(self, what: str, size: int) -> tuple[int, int]:
        block = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(block)] = block
        return self._new(what, ctypes.addressof(block))

    def cudaMallocHost(self, size: int) -> tuple[int, int]:  # noqa: N802
        return self._memory("host", size)

    def cudaMalloc(self, size: int) -> tuple[int, int]:  # noqa: N802
        return self._memory("device", size)

    def do(self, work: Callable[[], None]) -> None:
        if self.recording is None:
            work()
        else:
            self.recording.append(work)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, stream: int) -> tuple[int]:  # noqa: N802
        self.do(lambda: ctypes.memmove(to, source, size) and None)
        return (FAILED if self.lost else OK,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:  # noqa: N802
        return (FAILED if self.lost else OK,)

    def cudaStreamBeginCapture(self, stream: int, mode: str) -> tuple[int]:  # noqa: N802
        self.recording = []
        return (OK,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[int, Any]:  # noqa: N802
        recorded, self.recording = self.recording, None
        if self.records_nothing:
            return FAILED, None
        self.held.append("graph")
        return OK, recorded

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[int, Any]:  # noqa: N802
        self.held.append("executable")
        return OK, graph

    def cudaGraphLaunch(self, graph: list[Callable[[], None]], stream: int) -> tuple[int]:  # noqa: N802
        self.launched += 1
        for work in graph:
            work()
        return (FAILED if self.lost else OK,)

    def cudaGraphExecDestroy(self, graph: Any) -> None:  # noqa: N802
        self.held.remove("executable")

    def cudaGraphDestroy(self, graph: Any) -> None:  # noqa: N802
        self.held.remove("graph")

    def cudaFree(self, pointer: int) -> None:  # noqa: N802
        self.held.remove("device")

    def cudaFreeHost(self, pointer: int) -> None:  # noqa: N802
        self.held.remove("host")

    def cudaStreamDestroy(self, stream: int) -> None:  # noqa: N802
        self.held.remove("stream")


class Context:
    """Draws a picture whose bytes are the first code's first number."""

    def __init__(self, gpu: Gpu, starts: bool) -> None:
        self.gpu, self.starts, self.addresses = gpu, starts, dict[str, int]()

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        ws, pixels = self.addresses["ws"], self.addresses["pixels"]
        self.gpu.do(lambda: ctypes.memset(pixels, int(ctypes.c_float.from_address(ws).value), SIZE * SIZE * 3) and None)
        return self.starts


class RuntimeCache:
    def __init__(self) -> None:
        self.content = b""

    def deserialize(self, content: bytes) -> bool:
        self.content = content
        return True

    def serialize(self) -> bytes:
        return self.content or b"compiled for this GPU"


class Stage:
    """The GPU and the module, and what a test changes of them."""

    def __init__(self) -> None:
        self.gpu = Gpu()
        self.starts = self.fits = self.loads = True
        self.cache: RuntimeCache | None = None
        self.trt = ModuleType("stand_in")
        self.trt.__dict__.update(__version__="1.0", Builder=object, Runtime=lambda logger: self, Logger=self._logger)
        self._logger.WARNING = 1  # type: ignore[attr-defined]

    class _logger:  # noqa: N801
        def __init__(self, level: int) -> None: ...

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        return self if plan == b"an engine" and self.loads else None

    def create_runtime_config(self) -> Any:
        return self

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self.cache = cache
        return True

    def create_execution_context(self, config: Any = None) -> Context | None:
        return Context(self.gpu, self.starts) if self.fits else None


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    stage = Stage()
    stage.trt.IRuntimeCache = RuntimeCache  # type: ignore[attr-defined]
    kept = tmp_path / "some.engine"

    def engine_file(pixels: Pixels) -> Path:
        if not kept.exists():
            kept.write_bytes(b"an engine")
        return kept

    monkeypatch.setattr(cuda, "cuda_module", lambda: stage.gpu)
    monkeypatch.setattr(tensorrt, "tensorrt_module", lambda: stage.trt)
    monkeypatch.setattr(tensorrt, "engine_file", engine_file)
    return stage


@pytest.fixture
def pixels() -> Pixels:
    def broadcast(w: torch.Tensor) -> torch.Tensor:
        return w[:, None].expand(-1, NUM_WS, -1)

    generator = SimpleNamespace(num_ws=NUM_WS, w_dim=W_DIM, w_avg=torch.zeros(W_DIM), broadcast=broadcast)
    return SimpleNamespace(size=SIZE, generator=generator)  # type: ignore[return-value]


def code(value: float) -> np.ndarray:
    return np.full((1, NUM_WS, W_DIM), value, np.float32)


def test_a_frame_is_recorded_once_and_launched_as_one(stage: Stage, pixels: Pixels) -> None:
    with TensorRtBackend(pixels) as backend:
        pictures = [backend.render(code(value)) for value in (3, 200)]
        assert [int(picture[0, 0, 0]) for picture in pictures] == [3, 200]
        assert pictures[0].shape == (SIZE, SIZE, 3)
        assert len(np.unique(pictures[1])) == 1
        assert stage.gpu.launched == 2
        assert "NVIDIA Stand In (8.9, driver 13000)" in backend.description
        assert sorted(stage.gpu.held) == ["device", "device", "executable", "graph", "host", "host", "stream"]
    assert stage.gpu.held == []


def test_another_driver_compiles_anew_although_its_cuda_is_the_same(
    stage: Stage, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver in ("580.65", "580.95"):
        monkeypatch.setattr(
            cuda, "gpus_at_start", lambda driver=driver: [nvidia.Gpu("NVIDIA Stand In", driver, "8.9", None, None, None)]
        )
        with TensorRtBackend(pixels) as backend:
            assert f"(8.9, driver {driver})" in backend.description
    assert len(list(tmp_path.glob("*.kernels"))) == 2


def test_where_nothing_can_be_recorded_its_parts_are_started_one_by_one(stage: Stage, pixels: Pixels) -> None:
    stage.gpu.records_nothing = True
    with TensorRtBackend(pixels) as backend:
        assert int(backend.render(code(77))[0, 0, 0]) == 77
        assert stage.gpu.launched == 0
    assert stage.gpu.held == []


def test_compiled_kernels_are_kept_for_the_next_start(stage: Stage, pixels: Pixels, tmp_path: Path) -> None:
    TensorRtBackend(pixels).close()
    (kept,) = tmp_path.glob("*.kernels")
    assert kept.read_bytes() == b"compiled for this GPU"
    assert "NVIDIA-Stand-In" in kept.name
    assert "13000" in kept.name
    written = kept.stat().st_ino
    os.utime(kept, (0, 0))
    TensorRtBackend(pixels).close()
    assert stage.cache is not None
    assert stage.cache.content == b"compiled for this GPU"
    assert kept.stat().st_ino == written
    assert kept.stat().st_mtime > 0, "its use is noted"


def test_tensorrt_proper_has_no_such_cache(stage: Stage, pixels: Pixels, tmp_path: Path) -> None:
    del stage.trt.IRuntimeCache  # type: ignore[attr-defined]
    with TensorRtBackend(pixels) as backend:
        assert int(backend.render(code(5))[0, 0, 0]) == 5
    assert stage.cache is None
    assert list(tmp_path.glob("*.kernels")) == []


def test_a_gpu_that_is_lost_is_a_runtime_error_so_that_another_backend_draws_on(stage: Stage, pixels: Pixels) -> None:
    backend = TensorRtBackend(pixels)
    stage.gpu.lost = True
    with pytest.raises(RuntimeError, match="an illegal memory access"):
        backend.render(code(1))
    backend.close()
    assert stage.gpu.held == []


def test_a_damaged_engine_is_built_anew(stage: Stage, pixels: Pixels, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "some.engine").write_bytes(b"an eng")
    with TensorRtBackend(pixels) as backend:
        assert int(backend.render(code(9))[0, 0, 0]) == 9
    assert "may be damaged; it is built anew" in caplog.text
    assert (tmp_path / "some.engine").read_bytes() == b"an engine"


@pytest.mark.parametrize(
    ("fault", "complaint"), [("loads", "can't load the engine"), ("fits", "too little memory"), ("starts", "could not start")]
)
def test_what_can_not_be_opened_is_said_and_all_is_given_back(stage: Stage, pixels: Pixels, fault: str, complaint: str) -> None:
    setattr(stage, fault, False)
    with pytest.raises(UserError, match=complaint):
        TensorRtBackend(pixels)
    assert stage.gpu.held == []
