"""PyTorch on a GPU as far as it can be held without one: what is compiled is one graph, compiling is chosen by measurement."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_generators import OFFICIAL, reference_generator
from torch._inductor.runtime.cache_dir_utils import cache_dir

from engine import pytorch
from engine.backend import Backend
from engine.pytorch import TorchOnCuda, compiling_wins, open_torch
from models.errors import UserError
from models.stylegan.pixels import Pixels


def test_the_default_generator_and_its_head_are_one_graph_for_torch_compile(pixels: dict[int, Pixels]) -> None:
    assert_one_graph(pixels[256])


@pytest.mark.parametrize("name", OFFICIAL)
def test_own_generators_are_one_graph_for_torch_compile(name: str) -> None:
    assert_one_graph(Pixels(reference_generator(name), 32).eval())


def assert_one_graph(pixels: Pixels) -> None:
    """`fullgraph` raises where the module has to leave the graph; what is traced draws the same picture."""
    graphs: list[Any] = []

    def backend(graph: torch.fx.GraphModule, example: list[torch.Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    generator = pixels.generator
    ws = generator.broadcast(generator.code_of_seed(1))
    torch._dynamo.reset()
    with torch.inference_mode():
        picture = torch.compile(pixels, fullgraph=True, dynamic=False, backend=backend)(ws)
        assert torch.equal(picture, pixels(ws))
    assert len(graphs) == 1


class OnAGpu(Backend):
    """Stands in for `TorchOnCuda`: takes the milliseconds it is told, and can't compile where it is told so."""

    name = "torch"
    milliseconds: dict[bool, float]
    opened: list[bool]

    def __init__(self, pixels: Pixels, compiled: bool) -> None:
        super().__init__(pixels)
        self.compiled = compiled
        self.opened.append(compiled)
        if compiled not in self.milliseconds:
            raise UserError("Cannot find a working triton installation")

    def _draw(self, ws: np.ndarray) -> np.ndarray:
        return np.zeros((self.size, self.size, 3), np.uint8)

    def _free(self) -> None: ...


@pytest.mark.parametrize(
    ("times", "wins"), [({False: 2.0, True: 1.0}, True), ({False: 1.0, True: 2.0}, False), ({False: 2.0}, False)]
)
def test_compiling_is_chosen_where_it_wins_and_measured_once(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, times: dict[bool, float], wins: bool
) -> None:
    notes: dict[str, Any] = {}
    monkeypatch.setattr(OnAGpu, "milliseconds", times, raising=False)
    monkeypatch.setattr(OnAGpu, "opened", [], raising=False)
    monkeypatch.setattr(pytorch, "TorchOnCuda", OnAGpu)
    monkeypatch.setattr(pytorch, "milliseconds", lambda backend: times[backend.compiled])
    monkeypatch.setattr(pytorch.cache, "recall", lambda subject, key: notes.get(subject + key["gpu"]))
    monkeypatch.setattr(pytorch.cache, "remember", lambda subject, key, value: notes.update({subject + key["gpu"]: value}))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compiling_wins(pixels[256]) is wins
    assert OnAGpu.opened == [False, True]
    with open_torch(pixels[256]) as backend:
        assert backend.compiled is wins  # type: ignore[attr-defined]
    assert OnAGpu.opened == [False, True, wins]


def test_a_gpu_that_refuses_is_said_in_one_line(pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nSee documentation")

    monkeypatch.setattr(TorchOnCuda, "_record", full)
    with pytest.raises(UserError, match=r"256² on the GPU: CUDA out of memory\. Tried to allocate 20\.00 MiB\.$"):
        TorchOnCuda(pixels[256], compiled=False)


def test_what_is_compiled_is_kept_for_the_next_start_where_the_user_names_no_other_place(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA out of memory")

    def tried(compiled: bool) -> str | None:
        with pytest.raises(UserError):
            TorchOnCuda(pixels[256], compiled)
        return os.environ.get(pytorch.COMPILED)

    monkeypatch.setattr(Pixels, "in_half_precision", full)
    monkeypatch.setattr(pytorch.cache, "compiled_folder", lambda *names: tmp_path.joinpath(*names))
    monkeypatch.setenv(pytorch.COMPILED, "/theirs")
    assert tried(compiled=True) == "/theirs"
    monkeypatch.delenv(pytorch.COMPILED)
    assert tried(compiled=False) is None
    assert tried(compiled=True) == str(tmp_path / "torch" / torch.__version__ / "kernels")
    assert cache_dir() == tried(compiled=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that PyTorch sees")
@pytest.mark.parametrize("compiled", [False, True])
def test_on_a_gpu_it_draws_what_the_module_draws(pixels: dict[int, Pixels], compiled: bool) -> None:
    generator = pixels[256].generator
    ws = generator.broadcast(generator.code_of_seed(1000))
    with TorchOnCuda(pixels[256], compiled) as backend:
        backend.warm_up()
        difference = backend.render(ws.numpy()).astype(float) - pixels[256](ws).numpy()
    assert (difference**2).mean() < 255**2 * 1e-4  # 40 dB
