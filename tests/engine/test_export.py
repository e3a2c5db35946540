"""The exported graph is the module: same pictures, named ends, made once, named after all it depends on."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine import export
from models.errors import UserError
from models.openvino_core import openvino_core
from models.stylegan import stylegan3
from models.stylegan.head import FINE_256, Head
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels, Quality


@pytest.mark.parametrize("way", [(256, "fast"), (256, "fine"), (256, "full"), (512, "fine"), (512, "full"), (1024, "full")])
def test_the_graph_draws_what_the_module_draws(
    generator: MobileStyleGAN, graphs: dict[tuple[int, Quality], Pixels], way: tuple[int, Quality]
) -> None:
    ws = torch.stack([generator.code_of_seed(seed)[0] for seed in range(generator.num_ws)])[None]  # every row another face
    graph = openvino_core().compile_model(export.onnx_file(graphs[way]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    picture = graph({export.INPUT: ws.numpy()})[export.OUTPUT]
    assert picture.dtype == np.uint8
    assert picture.shape == (way[0], way[0], 3)
    assert np.abs(picture.astype(int) - graphs[way](ws).numpy()).max() <= 1


def test_the_ends_have_names_and_the_graph_is_whole(pixels: dict[int, Pixels]) -> None:
    graph = onnx.load(export.onnx_file(pixels[256])).graph
    assert [i.name for i in graph.input] == ["ws"]
    assert [o.name for o in graph.output] == ["pixels"]
    assert all(not tensor.external_data for tensor in graph.initializer)


def test_a_second_call_exports_nothing(pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    path = export.onnx_file(pixels[256])
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: pytest.fail("exported twice"))
    assert export.onnx_file(pixels[256]) == path


def test_another_head_quality_or_precision_is_another_graph(
    pixels: dict[int, Pixels], graphs: dict[tuple[int, Quality], Pixels]
) -> None:
    changed = Pixels(pixels[256].generator, 256)
    assert export.graph_key(changed) == export.graph_key(pixels[256])
    changed.head = Head(FINE_256._replace(width=16))
    keys = {export.graph_key(p) for p in (*graphs.values(), changed, pixels[256].in_half_precision())}
    assert len(keys) == len(graphs) + 2 == 8


def test_all_code_that_draws_is_part_of_the_graphs_name() -> None:
    sources = export._sources(frozenset({"models.stylegan.stylegan3", "models.stylegan.pixels", "torch.nn"}))
    folder = Path(stylegan3.__file__).parent
    expected = [folder / f"{name}.py" for name in ("stylegan3", "pixels", "layers", "filters", "generator", "head")]
    for file in (*expected, Path(export.__file__)):
        assert file.read_text(encoding="utf-8") in sources, file.name


def test_another_exporter_is_another_graph(pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_version", lambda package: "1")
    key = export.graph_key(pixels[256])
    monkeypatch.setattr(export, "_version", lambda package: "0.1" if package == "onnxscript" else "1")
    assert export.graph_key(pixels[256]) != key


def test_a_kept_graph_is_taken_and_its_use_noted(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / f"{export.graph_key(pixels[256])}.onnx"
    kept.touch()
    os.utime(kept, (0, 0))
    monkeypatch.setattr(export, "cache_folder", lambda name="": tmp_path)
    assert export.onnx_file(pixels[256]) == kept
    assert kept.stat().st_mtime > 0


def test_a_failing_export_leaves_nothing_behind(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(module: object, args: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(torch.onnx, "export", full)
    with pytest.raises(UserError, match="No space left"):
        export.onnx_file(pixels[256])
    assert list(tmp_path.iterdir()) == []
