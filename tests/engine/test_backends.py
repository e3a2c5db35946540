"""What every backend promises, held against each one that this machine can open."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from openvino import Core

from engine import openvino
from engine.backend import Backend
from engine.export import onnx_file
from engine.openvino import OpenVinoBackend, psnr
from engine.pytorch import TorchOnCpu
from models.errors import UserError
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels


def faces(generator: MobileStyleGAN, *seeds: int) -> list[NDArray[np.float32]]:
    return [generator.broadcast(generator.code_of_seed(seed)).numpy() for seed in seeds]


@pytest.fixture(scope="module", params=["openvino", "torch"])
def backend(request: pytest.FixtureRequest, pixels: dict[int, Pixels]) -> Iterator[Backend]:
    opened = OpenVinoBackend(pixels[256], "f32") if request.param == "openvino" else TorchOnCpu(pixels[256])
    with opened:
        yield opened


def test_pictures_are_those_of_the_module(backend: Backend, generator: MobileStyleGAN, pixels: dict[int, Pixels]) -> None:
    for ws in faces(generator, 1000, 1001):
        expected = pixels[256](torch.from_numpy(ws)).numpy()
        assert np.abs(backend.render(ws).astype(int) - expected).max() <= 1


def test_a_picture_is_the_callers_own(backend: Backend, generator: MobileStyleGAN) -> None:
    first, second = faces(generator, 1, 2)
    picture = backend.render(first)
    kept = picture.copy()
    backend.render(second)
    assert np.array_equal(picture, kept)
    assert picture.flags.writeable


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 24), min_size=0, max_size=4))
def test_other_shapes_are_refused(backend: Backend, shape: list[int]) -> None:
    with pytest.raises(ValueError, match="was expected"):
        backend.render(np.zeros(shape, np.float32))


def test_float64_and_strided_codes_are_taken(backend: Backend, generator: MobileStyleGAN) -> None:
    (ws,) = faces(generator, 3)
    wide = np.repeat(ws.astype(np.float64), 2, axis=2)[:, :, ::2]
    assert np.array_equal(backend.render(wide), backend.render(ws))


def test_a_closed_backend_draws_no_more_and_closes_again_in_peace(pixels: dict[int, Pixels], generator: MobileStyleGAN) -> None:
    with TorchOnCpu(pixels[256]) as backend:
        backend.close()
        backend.close()
        with pytest.raises(RuntimeError, match="closed"):
            backend.render(*faces(generator, 1))


def test_openvino_in_its_measured_precision_stays_true(
    pixels: dict[int, Pixels], generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: dict[str, object] = {}
    monkeypatch.setattr(openvino.cache, "recall", lambda subject, key: notes.get(subject))
    monkeypatch.setattr(openvino.cache, "remember", lambda subject, key, value: notes.update({subject: value}))
    precision = openvino.measured_precision(pixels[256])
    assert notes == {"openvino_precision_256": precision}
    monkeypatch.setattr(openvino, "OpenVinoBackend", lambda *_: pytest.fail("measured twice"))
    assert openvino.measured_precision(pixels[256]) == precision
    with OpenVinoBackend(pixels[256], precision) as backend:
        (ws,) = faces(generator, 77)
        assert psnr(pixels[256](torch.from_numpy(ws)).numpy(), backend.render(ws)) >= openvino.TRUE_ENOUGH


def test_all_noise_is_fed_and_not_multiplied_into_every_channel(pixels: dict[int, Pixels]) -> None:
    model = Core().read_model(onnx_file(pixels[256]))
    planes = openvino.noise_as_inputs(model)
    assert sorted(plane.shape[2] for plane in planes.values()) == sorted([8, 16, 32, 64, 128] * 2)
    assert {i.any_name for i in model.inputs} == {"ws", *planes}
    generator = pixels[256].generator
    expected = [noise for name, noise in generator.named_buffers() if name.endswith("noise") and 4 < noise.shape[2] < 256]
    for noise in expected:
        assert any(np.array_equal(noise.numpy(), plane) for plane in planes.values())


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09" * 500])
def test_a_damaged_graph_is_refused_in_one_line_that_names_it(
    pixels: dict[int, Pixels], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(openvino, "onnx_file", lambda _: path)
    with pytest.raises(UserError, match=r"graph\.onnx.* exported anew") as caught:
        OpenVinoBackend(pixels[256], "f32")
    assert "\n" not in str(caught.value)
