"""MobileStyleGAN as torch module against OpenVINO running the published files, and the shapes and meanings it promises."""

import numpy as np
import openvino
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.openvino_core import openvino_core
from models.stylegan.carrier import carrier_folder
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN, haar_synthesis


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


def published(name: str) -> openvino.CompiledModel:
    model = openvino_core().read_model(carrier_folder() / f"{name}.xml")
    return openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def published_in_w_plus() -> openvino.CompiledModel:
    """The published synthesis with one input per row: every style affine gets an input of its own instead of the shared one."""
    model = openvino_core().read_model(carrier_folder() / "SynthesisNetwork.xml")
    affines = {op.input_value(1).get_node().get_friendly_name(): op for op in model.get_ops() if op.get_type_name() == "MatMul"}
    names = ["m.conv1.conv"]
    for b in range(7):
        names += [f"m.layers.{b}.up", f"m.layers.{b}.conv1.conv", f"m.layers.{b}.conv2.conv"]
    names.append("m.layers.6.to_img.conv")
    assert len(affines) == len(names) == MobileStyleGAN.num_ws
    rows = []
    for name in names:
        row = openvino.opset13.parameter([1, 512], np.float32, name)
        affines[f"{name}.modulation.weight"].input(0).replace_source_output(row.output(0))
        rows.append(row)
    split = openvino.Model(model.get_results(), [*rows, *model.get_parameters()], "w_plus")
    return openvino_core().compile_model(split, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def test_mapping_equals_the_published_network(generator: MobileStyleGAN) -> None:
    z = np.random.RandomState(5).randn(1, 512).astype(np.float32)
    expected = published("MappingNetwork")(z)[0]
    assert np.abs(generator.mapping(torch.from_numpy(z)).numpy() - expected).max() < 1e-4


def test_pictures_equal_the_published_network_in_w(generator: MobileStyleGAN) -> None:
    network = published("SynthesisNetwork")
    for seed, psi in ((1000, 0.7), (3, 1.0)):
        w = generator.code_of_seed(seed, psi)
        expected = network(w.numpy())[0]
        assert np.abs(generator.synthesis(generator.broadcast(w)).numpy() - expected).max() < 1e-3


def test_pictures_equal_the_published_network_in_w_plus(generator: MobileStyleGAN) -> None:
    ws = torch.stack([generator.code_of_seed(seed)[0] for seed in range(generator.num_ws)])[None]
    rows = [row[None].numpy() for row in ws[0]]
    expected = published_in_w_plus()([*rows, np.zeros((1, 512), np.float32)])[0]
    assert np.abs(generator.synthesis(ws).numpy() - expected).max() < 1e-3


def test_the_512_picture_is_the_1024_picture_shrunk_by_averaging(generator: MobileStyleGAN) -> None:
    ws = generator.broadcast(generator.code_of_seed(2))
    shrunk = torch.nn.functional.avg_pool2d(generator.synthesis(ws), 2)
    assert torch.allclose(generator.synthesis(ws, 512), shrunk, atol=1e-5)
    with pytest.raises(ValueError, match="256"):
        generator.synthesis(ws, 256)


def test_features_are_the_way_to_the_picture(generator: MobileStyleGAN) -> None:
    ws = generator.broadcast(generator.code_of_seed(1))
    shapes = {r: tuple(generator.features(ws, r).shape) for r in (8, 64, 128, 256)}
    assert shapes == {8: (1, 512, 8, 8), 64: (1, 512, 64, 64), 128: (1, 256, 128, 128), 256: (1, 128, 256, 256)}
    with pytest.raises(ValueError, match="1024"):
        generator.features(ws, 1024)


def test_each_row_of_ws_matters_and_reaches_back_by_gradient(generator: MobileStyleGAN) -> None:
    ws = generator.broadcast(generator.code_of_seed(1)).clone().requires_grad_()
    generator.features(ws, 64).square().mean().backward()
    assert ws.grad is not None
    reached = ws.grad[0].abs().sum(dim=1) > 0
    assert reached.tolist() == [True] * 13 + [False] * 10


def test_truncation_pulls_towards_the_mean(generator: MobileStyleGAN) -> None:
    w = generator.code_of_seed(9, psi=1.0)
    assert torch.equal(generator.truncate(w, 0.0)[0], generator.w_avg)
    assert torch.allclose(generator.truncate(w, 0.7), generator.code_of_seed(9, psi=0.7))
    many = generator.mapping(torch.randn(2048, 512, generator=torch.Generator().manual_seed(1)))
    assert (many.mean(dim=0) - generator.w_avg).norm() < 0.1 * (many - generator.w_avg).norm(dim=1).mean()


def test_a_seed_is_always_the_same_face(generator: MobileStyleGAN) -> None:
    assert torch.equal(generator.code_of_seed(1000), generator.code_of_seed(1000))
    assert not torch.allclose(generator.code_of_seed(1000), generator.code_of_seed(1001), atol=0.1)
    several = generator.codes_of_seeds([1001, 1000])
    assert torch.allclose(several, torch.cat([generator.code_of_seed(1001), generator.code_of_seed(1000)]), atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_haar_synthesis_undoes_haar_analysis(n: int, c: int, h: int, w: int, seed: int) -> None:
    picture = torch.randn(n, c, 2 * h, 2 * w, generator=torch.Generator().manual_seed(seed))
    a, b, d, e = picture[..., 0::2, 0::2], picture[..., 0::2, 1::2], picture[..., 1::2, 0::2], picture[..., 1::2, 1::2]
    bands = torch.cat((a + b + d + e, a + b - d - e, a - b + d - e, a - b - d + e), dim=1) / 2
    assert torch.allclose(haar_synthesis(bands), picture, atol=1e-5)
