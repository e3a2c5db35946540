"""Draws with TensorRT on an NVIDIA GPU: one file for both of its modules, TensorRT proper and TensorRT for RTX.

The graph is strongly typed float16 with named input and output; engines are built once, with progress on the log, and kept in the
user's cache under everything they depend on. TensorRT for RTX builds without a GPU (`tools/build_engine.py`); running needs one.
"""

import functools
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.backend import Backend
from engine.export import INPUT, OUTPUT, graph_key, onnx_file
from models.errors import UserError
from models.files import cache_folder, written_beside
from models.stylegan.pixels import Pixels

MODULES: Final = ("tensorrt", "tensorrt_rtx_bindings")  # the same names inside; the first one that is installed is taken
WORKSPACE: Final = 2 << 30  # bytes of GPU memory that building may use for trying kernels; StyleGAN3 at 1024² needs 1.1 GiB

log = logging.getLogger(__name__)


def tensorrt_module() -> ModuleType:
    """TensorRT proper if it is installed, else TensorRT for RTX. Raises UserError naming both where there is neither."""
    reasons = []
    for name in MODULES:
        try:
            module = importlib.import_module(name)
            module.Builder  # noqa: B018  (the registry's `tensorrt` may be a stub that imports and holds nothing)
            return module
        except (ImportError, OSError, AttributeError) as error:
            reasons.append(f"{name}: {error}")
    raise UserError(f"TensorRT is not installed ({'; '.join(reasons)}); pip install 'speech2expression[tensorrt-rtx]'")


class Network:
    """The graph as TensorRT's own parser read it. Keeps builder and parser alive, which own what the network refers to."""

    def __init__(self, trt: ModuleType, onnx: Path) -> None:
        self.trt = trt
        self.builder = trt.Builder(_logger(trt))
        self.definition = self.builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        self.parser = trt.OnnxParser(self.definition, _logger(trt))
        if not self.parser.parse_from_file(str(onnx)):
            reasons = "; ".join(self.parser.get_error(i).desc() for i in range(self.parser.num_errors))
            raise UserError(f"TensorRT can't read the graph {onnx}: {reasons}")
        if self.definition.num_outputs == 0:  # an empty file parses without complaint
            raise UserError(f"TensorRT can't read the graph {onnx}: it draws nothing; delete it, and it is exported anew")

    def build(self, capabilities: tuple[str, ...], report: Callable[[str], None]) -> bytes:
        """The serialised engine, for the GPU at hand or, with TensorRT for RTX, for the `capabilities` named ("8.6", "12.0").

        `report` is told each phase. Ctrl-C ends a build at its next step. Raises UserError where building fails.
        """
        trt = self.trt
        config = self.builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
        if capabilities:
            _set_capabilities(trt, config, capabilities)
        monitor = _progress_monitor(trt, report)
        config.progress_monitor = monitor
        plan = self.builder.build_serialized_network(self.definition, config)
        if monitor.interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise UserError("TensorRT could not build the engine; the lines above say why (too little GPU memory is most likely)")
        return bytes(plan)


def _set_capabilities(trt: ModuleType, config: Any, capabilities: tuple[str, ...]) -> None:
    known = {
        name: value for name, value in getattr(trt, "ComputeCapability", _Nothing).__members__.items() if name.startswith("SM")
    }
    config.num_compute_capabilities = len(capabilities)
    for i, capability in enumerate(capabilities):
        name = f"SM{capability.replace('.', '')}"
        if name not in known:
            readable = ", ".join(f"{n[2:-1]}.{n[-1]}" for n in known) or "none: TensorRT proper builds for the GPU at hand"
            raise UserError(f"no engine can be built for compute capability {capability}; choose from {readable}")
        config.set_compute_capability(known[name], i)


class _Nothing:
    __members__: Final[dict[str, Any]] = {}


def _progress_monitor(trt: ModuleType, report: Callable[[str], None]) -> Any:
    """An IProgressMonitor of whichever module is at hand; `interrupted` is set by Ctrl-C, which TensorRT would swallow."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.interrupted = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            report(f"{phase_name} ({num_steps} steps)")

        def phase_finish(self, phase_name: str) -> None:
            pass  # the start of the next phase says it

        def step_complete(self, phase_name: str, step: int) -> bool:
            try:
                return not self.interrupted
            except KeyboardInterrupt:
                self.interrupted = True
                return False

    return Monitor()


@functools.cache
def _logger(trt: ModuleType) -> Any:
    """One for all: TensorRT keeps the first that it is given, and complains about others."""
    return trt.Logger(trt.Logger.WARNING)


def engine_file(pixels: Pixels, capabilities: tuple[str, ...] = (), report: Callable[[str], None] = log.info) -> Path:
    """The engine for `pixels`, from the cache or built now; without `capabilities`, for the GPU at hand. Raises UserError.

    TensorRT's engines fit one GPU and driver, those of TensorRT for RTX every GPU of the capabilities they were built for.
    """
    trt = tensorrt_module()
    half = pixels.in_half_precision()
    stem, graph = f"{trt.__name__}_{trt.__version__}", graph_key(half)
    kept = cache_folder("tensorrt")
    target = "+".join(capabilities)
    if not capabilities:
        gpu, capability, driver = _this_gpu()
        if hasattr(trt, "ComputeCapability"):
            for path in sorted(kept.glob(f"{stem}_*_{graph}.engine")):
                if capability in path.name.removeprefix(f"{stem}_").removesuffix(f"_{graph}.engine").split("+"):
                    return path
            capabilities, target = (capability,), capability
        else:
            target = f"{gpu}_{capability}_{driver}".replace(" ", "-")
    path = kept / f"{stem}_{target}_{graph}.engine"
    if not path.exists():
        report(f"building the {pixels.size}² engine with {trt.__name__} {trt.__version__} for {target}")
        plan = Network(trt, onnx_file(half)).build(capabilities, report)
        with written_beside(path) as beside:
            beside.write_bytes(plan)
    return path


def _this_gpu() -> tuple[str, str, int]:
    """Name, compute capability ("8.6") and driver of GPU 0. Raises UserError where no GPU can be used."""
    cuda = _cuda()
    properties = _check(cuda.cudaGetDeviceProperties(0), "no NVIDIA GPU can be used")
    driver = _check(cuda.cudaDriverGetVersion(), "the NVIDIA driver does not answer")
    return properties.name.decode().strip(), f"{properties.major}.{properties.minor}", driver


def _cuda() -> ModuleType:
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise UserError(f"cuda-python is not installed ({error}); pip install 'cuda-python>=13.0'") from error


def _check(answer: tuple[Any, ...], complaint: str) -> Any:
    """The value out of a CUDA call's (error, value …). Raises UserError with `complaint` and CUDA's own words."""
    error, *values = answer
    if int(error) != 0:
        words = _cuda().cudaGetErrorString(error)[1]
        raise UserError(f"{complaint}: {words.decode()}; look at nvidia-smi, or choose --backend openvino")
    return values[0] if values else None


class TensorRtBackend(Backend):
    """One engine on GPU 0, a stream of its own, pinned host buffers. Inputs and outputs are bound by name."""

    name = "tensorrt"

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        trt = tensorrt_module()
        self._cuda = _cuda()
        gpu, capability, driver = _this_gpu()
        path = engine_file(pixels)
        engine = trt.Runtime(_logger(trt)).deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise UserError(f"TensorRT can't load the engine {path}; delete it, and it is built anew at the next start")
        self._context = engine.create_execution_context()
        self._buffers: list[Any] = []
        self._stream = self._call(self._cuda.cudaStreamCreate())
        self._ws_host, self._ws_device = self._pair(np.zeros((1, self.num_ws, self.w_dim), np.float32), INPUT)
        self._picture_host, self._picture_device = self._pair(np.zeros((self.size, self.size, 3), np.uint8), OUTPUT)
        self.description = f"{trt.__name__} {trt.__version__}, {gpu} ({capability}, driver {driver}), f16"

    def _call(self, answer: tuple[Any, ...]) -> Any:
        return _check(answer, f"the GPU failed while drawing {self.size}²")

    def _pair(self, like: NDArray[Any], name: str) -> tuple[NDArray[Any], int]:
        """A pinned host array like the one given, and as many bytes on the GPU, bound to the tensor `name`."""
        pinned = self._call(self._cuda.cudaMallocHost(like.nbytes))
        device = self._call(self._cuda.cudaMalloc(like.nbytes))
        self._buffers += [(self._cuda.cudaFreeHost, pinned), (self._cuda.cudaFree, device)]
        self._context.set_tensor_address(name, int(device))
        host = np.ctypeslib.as_array((np.ctypeslib.as_ctypes_type(like.dtype) * like.size).from_address(int(pinned)))
        return host.reshape(like.shape), int(device)

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        cuda, host, picture = self._cuda, self._ws_host, self._picture_host
        host[:] = ws
        to_device, to_host = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice, cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call(cuda.cudaMemcpyAsync(self._ws_device, host.ctypes.data, host.nbytes, to_device, self._stream))
        if not self._context.execute_async_v3(int(self._stream)):
            raise RuntimeError("TensorRT could not start the engine; its own message is above")
        self._call(cuda.cudaMemcpyAsync(picture.ctypes.data, self._picture_device, picture.nbytes, to_host, self._stream))
        self._call(cuda.cudaStreamSynchronize(self._stream))
        return picture.copy()

    def _free(self) -> None:
        self._cuda.cudaStreamSynchronize(self._stream)
        del self._context
        for free, pointer in self._buffers:
            free(pointer)
        self._cuda.cudaStreamDestroy(self._stream)


def open_tensorrt(pixels: Pixels) -> TensorRtBackend:
    """The backend on GPU 0; the first time an engine is built (a minute or so). Raises UserError without TensorRT or a GPU."""
    return TensorRtBackend(pixels)
