"""Draws with PyTorch itself, on an NVIDIA GPU if there is one, else on the CPU: seldom the fastest, but always there."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backend import Backend
from engine.cache import processor
from models.errors import UserError
from models.stylegan.pixels import Pixels


class TorchOnCpu(Backend):
    """The module as it is, float32, channels last."""

    name = "torch"

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        self._module = copy.deepcopy(pixels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.description = f"PyTorch {torch.__version__}, {processor()}, f32"

    @torch.inference_mode()
    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self._module(torch.from_numpy(ws)).numpy()
        return picture

    def _free(self) -> None:
        del self._module


class TorchOnCuda(Backend):
    """float16, channels last, recorded as one CUDA graph: a frame is one copy in, one launch and one copy out."""

    name = "torch"

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        try:
            self._record(pixels)
        except RuntimeError as error:  # torch reports a full or failing GPU so
            raise UserError(f"PyTorch can't draw {self.size}² on the GPU: {str(error).splitlines()[0]}") from error
        self.description = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}, f16"

    @torch.inference_mode()
    def _record(self, pixels: Pixels) -> None:
        module = pixels.in_half_precision().eval().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._ws = torch.zeros(1, self.num_ws, self.w_dim, device="cuda")
        self._ws_host = torch.zeros(1, self.num_ws, self.w_dim).pin_memory()
        self._picture_host = torch.zeros(self.size, self.size, 3, dtype=torch.uint8).pin_memory()
        with torch.cuda.stream(self._stream):
            for _ in range(3):  # cuDNN chooses its kernels before recording
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


def open_torch(pixels: Pixels) -> Backend:
    """On the GPU that PyTorch sees, else on the CPU. Raises UserError where the GPU is too small."""
    return TorchOnCuda(pixels) if torch.cuda.is_available() else TorchOnCpu(pixels)
