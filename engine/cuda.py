"""The few calls of CUDA's runtime that TensorRT leaves to its user: which GPU, a stream with pinned buffers, a recorded graph."""

import contextlib
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nvidia import gpus_at_start
from models.errors import UserError


def cuda_module() -> ModuleType:
    """Raises UserError where it is not installed."""
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise UserError(f"cuda-python is not installed ({error}); pip install 'cuda-python>=13.0'") from error


def check(answer: tuple[Any, ...], complaint: str) -> Any:
    """The value out of a CUDA call's (error, value …). Raises UserError with `complaint` and CUDA's own words."""
    error, *values = answer
    if int(error) != 0:
        words = cuda_module().cudaGetErrorString(error)[1]
        raise UserError(f"{complaint}: {words.decode()}; look at nvidia-smi, or choose --backend openvino")
    return values[0] if values else None


def this_gpu() -> tuple[str, str, str]:
    """Name, compute capability ("8.6") and driver ("580.95.05") of GPU 0. Raises UserError where no GPU can be used."""
    cuda = cuda_module()
    properties = check(cuda.cudaGetDeviceProperties(0), "no NVIDIA GPU can be used")
    newest = check(cuda.cudaDriverGetVersion(), "the NVIDIA driver does not answer")
    with contextlib.suppress(UserError):
        newest = next(
            (gpu.driver for gpu in gpus_at_start()), newest
        )  # all GPUs share one; CUDA itself names the newest CUDA it can run
    return properties.name.decode().strip(), f"{properties.major}.{properties.minor}", str(newest)


def free_memory() -> int:
    """Bytes of GPU 0 that nothing uses. Raises UserError where no GPU can be used."""
    error, free, _ = cuda_module().cudaMemGetInfo()
    return int(check((error, free), "no NVIDIA GPU can be used"))


class Lane:
    """A stream of its own on GPU 0, buffers on both sides, and one sequence of work that is recorded and launched as a whole.

    Raises UserError where the GPU refuses; what it holds then is freed by `close`.
    """

    def __init__(self) -> None:
        self._cuda = cuda_module()
        self._undo: list[tuple[Callable[[Any], object], Any]] = []
        self.stream = self._kept(self._cuda.cudaStreamCreateWithFlags(self._cuda.cudaStreamNonBlocking), "cudaStreamDestroy")
        self._graph: Any = None

    def pair(self, like: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """A pinned host array like the one given, and the address of as many bytes on the GPU."""
        pinned = int(self._kept(self._cuda.cudaMallocHost(like.nbytes), "cudaFreeHost"))
        device = int(self._kept(self._cuda.cudaMalloc(like.nbytes), "cudaFree"))
        numbers = (np.ctypeslib.as_ctypes_type(like.dtype) * like.size).from_address(pinned)
        return np.ctypeslib.as_array(numbers).reshape(like.shape), device

    def to_device(self, host: NDArray[Any], device: int) -> None:
        """Copy, when the stream gets there."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _ok(self._cuda.cudaMemcpyAsync(device, host.ctypes.data, host.nbytes, kind, self.stream))

    def to_host(self, device: int, host: NDArray[Any]) -> None:
        """Copy, when the stream gets there."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _ok(self._cuda.cudaMemcpyAsync(host.ctypes.data, device, host.nbytes, kind, self.stream))

    def wait(self) -> None:
        """Until all work is done."""
        _ok(self._cuda.cudaStreamSynchronize(self.stream))

    def record(self, work: Callable[[], None]) -> None:
        """Keep what `work` puts on the stream as one graph, for `launch`; nothing of it is done yet."""
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _ok(self._cuda.cudaStreamBeginCapture(self.stream, mode))
        try:
            work()
        finally:
            ended = self._cuda.cudaStreamEndCapture(self.stream)  # also after a failure: the stream is of no use before
        graph = self._kept(ended, "cudaGraphDestroy")
        self._graph = self._kept(self._cuda.cudaGraphInstantiate(graph, 0), "cudaGraphExecDestroy")

    def launch(self) -> None:
        """Put what was recorded on the stream."""
        _ok(self._cuda.cudaGraphLaunch(self._graph, self.stream))

    def close(self) -> None:
        """Free everything, the last first. A second call does nothing."""
        self._cuda.cudaStreamSynchronize(self.stream)
        while self._undo:
            free, what = self._undo.pop()
            free(what)

    def _kept(self, answer: tuple[Any, ...], free: str) -> Any:
        value = _ok(answer)
        self._undo.append((getattr(self._cuda, free), value))
        return value


def _ok(answer: tuple[Any, ...]) -> Any:
    return check(answer, "the GPU failed")
