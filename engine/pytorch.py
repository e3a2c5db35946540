"""Draws with PyTorch itself, on an NVIDIA GPU if there is one, else on the CPU: seldom the fastest, but always there."""

import contextlib
import copy
import logging
import os
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from engine import cache
from engine.backend import Backend
from engine.choose import milliseconds
from engine.export import graph_key
from models.errors import UserError
from models.stylegan.pixels import Pixels

COMPILED: Final = "TORCHINDUCTOR_CACHE_DIR"  # where torch.compile looks for what it compiled before

log = logging.getLogger(__name__)


class TorchOnCpu(Backend):
    """The module as it is, float32, channels last."""

    name = "torch"

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        self._module = copy.deepcopy(pixels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.description = f"PyTorch {torch.__version__}, {cache.processor()}, f32"

    @torch.inference_mode()
    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self._module(torch.from_numpy(ws)).numpy()
        return picture

    def _free(self) -> None:
        del self._module


class TorchOnCuda(Backend):
    """float16, channels last, recorded as one CUDA graph: a frame is one copy in, one launch and one copy out.

    `compiled`: through torch.compile, which writes kernels of its own for what lies between the convolutions.
    """

    name = "torch"

    def __init__(self, pixels: Pixels, compiled: bool) -> None:
        super().__init__(pixels)
        try:
            with torch.backends.cudnn.flags(enabled=True, benchmark=True):  # cuDNN tries its kernels, and keeps the fastest
                self._record(pixels, compiled)
        except (RuntimeError, ImportError) as error:  # so torch reports a full or failing GPU, and that it can't compile here
            raise UserError(f"PyTorch can't draw {self.size}² on the GPU: {str(error).splitlines()[0]}") from error
        how = ", compiled" if compiled else ""
        self.description = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}, f16{how}"

    @torch.inference_mode()
    def _record(self, pixels: Pixels, compiled: bool) -> None:
        if compiled:
            _keep_compiled()
        module = pixels.in_half_precision().eval().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            module = torch.compile(module, fullgraph=True, dynamic=False)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._ws = torch.zeros(1, self.num_ws, self.w_dim, device="cuda")
        self._ws_host = torch.zeros(1, self.num_ws, self.w_dim).pin_memory()
        self._picture_host = torch.zeros(self.size, self.size, 3, dtype=torch.uint8).pin_memory()
        with torch.cuda.stream(self._stream):
            for _ in range(3):  # kernels are compiled and chosen before recording
                module(self._ws)
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._ws.copy_(self._ws_host, non_blocking=True)
            self._picture_host.copy_(module(self._ws), non_blocking=True)

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._ws_host.copy_(torch.from_numpy(ws))
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        return self._picture_host.numpy().copy()

    def _free(self) -> None:
        self._stream.synchronize()
        del self._graph, self._ws, self._ws_host, self._picture_host


def _keep_compiled() -> None:
    """What torch.compile writes is kept for the next start, in the user's cache unless the user names another place."""
    if COMPILED not in os.environ:
        with contextlib.suppress(UserError):
            os.environ[COMPILED] = str(cache.compiled_folder("torch", torch.__version__, "kernels"))


def open_torch(pixels: Pixels) -> Backend:
    """On the GPU that PyTorch sees, else on the CPU. Raises UserError where the GPU is too small."""
    return TorchOnCuda(pixels, compiling_wins(pixels)) if torch.cuda.is_available() else TorchOnCpu(pixels)


def compiling_wins(pixels: Pixels) -> bool:
    """Whether torch.compile draws faster on this GPU: measured once for this graph (compiling takes a minute), then remembered.

    It does not where it can't compile: there is no Triton for every system.
    """
    subject = f"torch_compile_{pixels.size}_{pixels.quality}"
    key = {"graph": graph_key(pixels), "torch": torch.__version__, "gpu": torch.cuda.get_device_name()}
    known = cache.recall(subject, key)
    if isinstance(known, bool):
        return known
    with TorchOnCuda(pixels, compiled=False) as plain:
        times = {False: milliseconds(plain)}
    try:
        with TorchOnCuda(pixels, compiled=True) as compiled:
            times[True] = milliseconds(compiled)
    except UserError as error:
        log.info("torch.compile is not to be had here: %s", error)
    best = min(times, key=times.__getitem__)
    table = ", ".join(f"{'compiled' if way else 'plain'} {ms:.2f} ms" for way, ms in times.items())
    log.info("PyTorch draws %d² %s from now on; measured on this GPU: %s", pixels.size, "compiled" if best else "plain", table)
    cache.remember(subject, key, best)
    return best
