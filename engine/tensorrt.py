"""Draws with TensorRT on an NVIDIA GPU: one file for both of its modules, TensorRT proper and TensorRT for RTX.

The graph is strongly typed float16 with named input and output; engines are built once, with progress on the log, and kept in the
user's cache under everything they depend on. TensorRT for RTX builds without a GPU (`tools/build_engine.py`); running needs one.
What a module learns is kept beside its engines as well: the times of TensorRT's kernels, which make the next build shorter, and
the kernels that TensorRT for RTX compiles for the GPU at hand when an engine is first used.
"""

import contextlib
import functools
import importlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.backend import Backend
from engine.cuda import Lane, free_memory, this_gpu
from engine.export import INPUT, OUTPUT, graph_key, onnx_file
from models.errors import UserError
from models.files import cache_folder, note_use, written_beside
from models.stylegan.pixels import Pixels

MODULES: Final = ("tensorrt", "tensorrt_rtx_bindings")  # the same names inside; the first one that is installed is taken
WORKSPACE: Final = 2 << 30  # bytes of GPU memory that kernels may use while they are tried; StyleGAN3 at 1024² needs 1.1 GiB

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

    def build(self, capabilities: tuple[str, ...], report: Callable[[str], None], times: Path | None = None) -> bytes:
        """The serialised engine, for the GPU at hand or, with TensorRT for RTX, for the `capabilities` named ("8.6", "12.0").

        `report` is told each phase. Ctrl-C ends a build at its next step. `times` is where the times of kernels are kept from one
        build to the next (TensorRT for RTX measures none). Raises UserError where building fails.
        """
        trt, builder = self.trt, self.builder
        config = builder.create_builder_config()
        for pool, size in _limits(trt.MemoryPoolType).items():
            config.set_memory_pool_limit(pool, size)
        _set_capabilities(trt, config, capabilities)
        if times is not None:
            timing_cache = config.create_timing_cache(_content(times))
            config.set_timing_cache(timing_cache, False)  # False where they are another GPU's: then all are measured
        monitor = _progress_monitor(trt, report)
        config.progress_monitor = monitor
        with _noting_ctrl_c(monitor):
            plan = builder.build_serialized_network(self.definition, config)
        if monitor.interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise UserError("TensorRT could not build the engine; the lines above say why (too little GPU memory is most likely)")
        if times is not None:
            _keep(times, config.get_timing_cache().serialize())
        return bytes(plan)


def _limits(pools: Any) -> dict[Any, int]:
    """Bytes of the GPU that kernels may use while they are tried, and all that is tried together: at most half of what is free,
    if there is a GPU: a show may be running on it."""
    limits = {pools.WORKSPACE: WORKSPACE}
    with contextlib.suppress(UserError):
        most = 1 << (max(1, free_memory() // 2).bit_length() - 1)  # TensorRT takes powers of two for the second
        limits = {pools.WORKSPACE: min(WORKSPACE, most), pools.TACTIC_DRAM: most}
    return limits


def _content(path: Path) -> bytes:
    """Nothing, where there is no such file."""
    note_use(path)
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _keep(path: Path, content: Any) -> None:
    """Write what may be written anew at any time: a full disk is no reason not to play."""
    try:
        with written_beside(path) as beside:
            beside.write_bytes(bytes(content))
    except UserError as error:
        log.warning("%s", error)


def _set_capabilities(trt: ModuleType, config: Any, capabilities: tuple[str, ...]) -> None:
    if not hasattr(trt, "ComputeCapability"):
        if not capabilities:
            return
        raise UserError(
            f"TensorRT proper builds for the GPU at hand only, not for {', '.join(capabilities)}: leave --for away, or install "
            "TensorRT for RTX alone (pip install 'speech2expression[tensorrt-rtx]')"
        )
    known = _known_capabilities(trt)
    if unknown := [capability for capability in capabilities if capability not in known]:
        raise UserError(f"no engine can be built for compute capability {unknown[0]}; choose from {', '.join(known)}")
    wanted = [known[capability] for capability in capabilities] or [trt.ComputeCapability.CURRENT]
    config.num_compute_capabilities = len(wanted)
    for i, capability in enumerate(wanted):
        config.set_compute_capability(capability, i)


def _known_capabilities(trt: ModuleType) -> dict[str, Any]:
    """What TensorRT for RTX can be told to build for, by name: "8.6", "12.0" …"""
    members = trt.ComputeCapability.__members__.items()
    return {f"{name[2:-1]}.{name[-1]}": value for name, value in members if name.startswith("SM")}


def _progress_monitor(trt: ModuleType, report: Callable[[str], None]) -> Any:
    """An IProgressMonitor of whichever module is at hand, which ends the build at its next step once `interrupted` is set."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.interrupted = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            report(f"{phase_name} ({num_steps} steps)")

        def phase_finish(self, phase_name: str) -> None:
            pass  # the start of the next phase says it

        def step_complete(self, phase_name: str, step: int) -> bool:
            return not self.interrupted

    return Monitor()


@contextlib.contextmanager
def _noting_ctrl_c(monitor: Any) -> Iterator[None]:
    """Ctrl-C only sets the monitor's `interrupted`: raised in a callback, it would fly through TensorRT and end the program.

    On other threads than the main one Python delivers no signals, and nothing has to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: setattr(monitor, "interrupted", True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
    capabilities = tuple(sorted(set(capabilities)))  # one engine, in whatever order they were named
    target = "+".join(capabilities)
    if not capabilities:
        gpu, capability, driver = this_gpu()
        if hasattr(trt, "ComputeCapability"):
            for path in sorted(kept.glob(f"{stem}_*_{graph}.engine")):
                if capability in path.name.removeprefix(f"{stem}_").removesuffix(f"_{graph}.engine").split("+"):
                    note_use(path)
                    return path
            capabilities, target = (capability,) if capability in _known_capabilities(trt) else (), capability
        else:
            target = f"{gpu}_{capability}_{driver}".replace(" ", "-")
    path = kept / f"{stem}_{target}_{graph}.engine"
    if not path.exists():
        report(f"building the {pixels.size}² engine with {trt.__name__} {trt.__version__} for {target}")
        measured = None if hasattr(trt, "IRuntimeCache") else kept / f"{stem}_{target}.times"
        plan = Network(trt, onnx_file(half)).build(capabilities, report, measured)
        with written_beside(path) as beside:
            beside.write_bytes(plan)
    note_use(path)
    return path


class TensorRtBackend(Backend):
    """One engine on GPU 0, on a stream of its own; a frame (copy in, draw, copy out) is recorded once and launched as one graph.

    Inputs and outputs are bound by name.
    """

    name = "tensorrt"

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        trt = tensorrt_module()
        gpu, capability, driver = this_gpu()
        engine, path = _loaded(trt, pixels)
        self._lane = Lane()
        self._context: Any = None
        try:
            self._prepare(trt, engine, path.with_name(f"{path.stem}_{gpu}_{driver}.kernels".replace(" ", "-")))
        except BaseException:
            self._free()
            raise
        self.description = f"{trt.__name__} {trt.__version__}, {gpu} ({capability}, driver {driver}), f16"

    def _prepare(self, trt: ModuleType, engine: Any, kernels: Path) -> None:
        """Bind the buffers, draw a first frame (what has to be compiled is compiled by then) and record one."""
        known, runtime_cache = _content(kernels), None
        if hasattr(trt, "IRuntimeCache"):
            runtime_config = engine.create_runtime_config()
            runtime_cache = runtime_config.create_runtime_cache()
            if known:
                runtime_cache.deserialize(known)  # refuses what another GPU, driver or version compiled
            runtime_config.set_runtime_cache(runtime_cache)
            self._context = engine.create_execution_context(runtime_config)
        else:
            self._context = engine.create_execution_context()
        if self._context is None:
            raise UserError(f"the GPU has too little memory left to draw {self.size}²; end what else uses it, see nvidia-smi")
        self._ws_host, self._ws_device = self._lane.pair(np.zeros((1, self.num_ws, self.w_dim), np.float32))
        self._picture_host, self._picture_device = self._lane.pair(np.zeros((self.size, self.size, 3), np.uint8))
        self._context.set_tensor_address(INPUT, self._ws_device)
        self._context.set_tensor_address(OUTPUT, self._picture_device)
        self._frame()
        self._lane.wait()
        if runtime_cache is not None and (learnt := bytes(runtime_cache.serialize())) != known:
            _keep(kernels, learnt)
        self._launch = self._lane.launch
        try:
            self._lane.record(self._frame)
        except UserError as error:
            log.info("a frame can't be recorded as one CUDA graph (%s); its parts are started one by one", error)
            self._launch = self._frame

    def _frame(self) -> None:
        """Put one frame's work on the stream."""
        self._lane.to_device(self._ws_host, self._ws_device)
        if not self._context.execute_async_v3(int(self._lane.stream)):
            raise UserError("TensorRT could not start the engine; its own message is above")
        self._lane.to_host(self._picture_device, self._picture_host)

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._ws_host[:] = ws
        try:
            self._launch()
            self._lane.wait()
        except UserError as error:
            raise RuntimeError(str(error)) from error
        picture: NDArray[np.uint8] = self._picture_host.copy()
        return picture

    def _free(self) -> None:
        with contextlib.suppress(UserError):
            self._lane.wait()
        self._context = None  # before the buffers that it is bound to
        self._lane.close()


def _loaded(trt: ModuleType, pixels: Pixels) -> tuple[Any, Path]:
    """The engine, built anew where the one that is kept can't be loaded, and its file. Raises UserError as `engine_file`."""
    runtime = trt.Runtime(_logger(trt))
    path = engine_file(pixels)
    engine = runtime.deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        log.warning("TensorRT can't load the engine %s, which may be damaged; it is built anew", path)
        with contextlib.suppress(OSError):
            path.unlink()
        path = engine_file(pixels)
        engine = runtime.deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise UserError(f"TensorRT can't load the engine {path}; its own message is above (too little GPU memory is most likely)")
    return engine, path


def open_tensorrt(pixels: Pixels) -> TensorRtBackend:
    """The backend on GPU 0; the first time an engine is built (a minute or so). Raises UserError without TensorRT or a GPU."""
    return TensorRtBackend(pixels)
