"""Draws with ONNX Runtime: the way onto GPUs of every make (DirectML, CoreML), and another one onto NVIDIA's and processors.

Which of its execution providers is taken is a table: the first one that is installed, opens and draws. ONNX Runtime itself would
quietly take the CPU where a provider can't be had; here that is a failure of that provider, and the next one is tried.
"""

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.backend import Backend
from engine.cache import compiled_folder, processor
from engine.export import INPUT, OUTPUT, graph_key, onnx_file
from models.errors import UserError
from models.stylegan.pixels import Pixels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """One way of ONNX Runtime to a device.

    name      as ONNX Runtime spells it
    device    the same for people
    half      draws the float16 graph
    plugin    the package that brings it, where it is not part of ONNX Runtime's own
    options   what it is opened with, for a graph and a version of ONNX Runtime: where it keeps what it compiled, say
    """

    name: str
    device: str
    half: bool
    plugin: str = ""
    options: Callable[[Pixels, str], dict[str, str]] = lambda pixels, version: {}


def _kept(option: str, **others: str) -> Callable[[Pixels, str], dict[str, str]]:
    """Options of a provider that keeps compiled networks in the folder named by `option`."""
    return lambda pixels, version: {**others, option: str(compiled_folder("onnxruntime", version, graph_key(pixels)))}


PROVIDERS: Final = (
    Provider(
        "NvTensorRTRTXExecutionProvider",
        "TensorRT for RTX",
        half=True,
        plugin="onnxruntime_ep_nv_tensorrt_rtx",
        options=_kept("nv_runtime_cache_path"),
    ),
    Provider("CUDAExecutionProvider", "CUDA", half=True),
    Provider("DmlExecutionProvider", "DirectML", half=True),
    # Takes float32 and computes in float16 by itself.
    Provider("CoreMLExecutionProvider", "CoreML", half=False, options=_kept("ModelCacheDirectory", ModelFormat="MLProgram")),
    Provider("CPUExecutionProvider", "", half=False),
)
"""The first one that draws is taken."""


def onnxruntime_module() -> ModuleType:
    """Raises UserError where it is not installed."""
    try:
        return importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        raise UserError(f"ONNX Runtime is not installed ({error}); pip install 'speech2expression[onnxruntime]'") from error


class OnnxRuntimeBackend(Backend):
    """One session on one provider. Raises UserError where the provider is not installed, or can't open or draw the graph."""

    name = "onnxruntime"

    def __init__(self, pixels: Pixels, provider: Provider) -> None:
        super().__init__(pixels)
        ort = onnxruntime_module()
        self._errors = errors_of(ort)
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors
        # Waiting in a busy loop for the next frame takes the cores that the listener needs, and gains nothing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = None
        try:
            providers = _choose(ort, provider, options, pixels)
            graph = onnx_file(pixels.in_half_precision() if provider.half else pixels)
            self._session = ort.InferenceSession(graph, options, providers=providers, enable_fallback=0)
            if self._session.get_providers()[0] != provider.name:
                raise UserError(f"{provider.name} can't be used here (ONNX Runtime's message above says why)")
            self.render(self._rest)
        except self._errors as error:
            reason = " ".join(str(error).split())[:200]
            if graph is None:
                raise UserError(f"ONNX Runtime can't open {provider.name}: {reason}; choose another --backend") from error
            raise UserError(
                f"ONNX Runtime can't draw {graph} with {provider.name}: {reason}; delete that file, and it is exported anew"
            ) from error
        self.description = (
            f"ONNX Runtime {ort.__version__}, {provider.device or processor()}, {'f16' if provider.half else 'f32'}"
        )

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        try:
            picture: NDArray[np.uint8] = self._session.run([OUTPUT], {INPUT: ws})[0]
        except self._errors as error:
            raise RuntimeError(f"ONNX Runtime failed while drawing {self.size}²: {error}") from error
        return picture

    def _free(self) -> None:
        del self._session


def errors_of(ort: ModuleType) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: RuntimeError, and its own kinds, which have nothing in common but where they are defined."""
    kinds = vars(ort.capi.onnxruntime_pybind11_state).values()
    return (RuntimeError, *(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)))


def _choose(ort: ModuleType, provider: Provider, options: Any, pixels: Pixels) -> list[tuple[str, dict[str, str]]] | None:
    """What to open a session with: a list of providers, or None once a plugin's devices are in `options`. Raises UserError."""
    if not provider.plugin:
        if provider.name not in ort.get_available_providers():
            raise UserError(f"{provider.name} is not part of this ONNX Runtime")
        return [(provider.name, provider.options(pixels, ort.__version__))]
    try:
        plugin = importlib.import_module(provider.plugin)
    except (ImportError, OSError) as error:
        raise UserError(f"{provider.name} is not installed ({error}); pip install {provider.plugin.replace('_', '-')}") from error
    if not _devices(ort, provider):
        ort.register_execution_provider_library(provider.name, plugin.get_library_path())
    if not (devices := _devices(ort, provider)):
        raise UserError(f"{provider.name} finds no GPU that it can use")
    options.add_provider_for_devices(devices[:1], provider.options(pixels, ort.__version__))
    return None


def _devices(ort: ModuleType, provider: Provider) -> list[Any]:
    return [device for device in ort.get_ep_devices() if device.ep_name == provider.name]


def open_onnxruntime(pixels: Pixels) -> OnnxRuntimeBackend:
    """With the first of `PROVIDERS` that draws here. Raises UserError, with all their reasons, where none does."""
    reasons = []
    for provider in PROVIDERS:
        try:
            return OnnxRuntimeBackend(pixels, provider)
        except UserError as error:
            log.debug("ONNX Runtime: %s", error)
            reasons.append(str(error))
    raise UserError("; ".join(dict.fromkeys(reasons)))
