"""StyleGAN2 and StyleGAN3 against figures of the official code: mapping to 1e-5, pictures to 1e-4."""

import hashlib
import json

import numpy as np
import pytest
import torch
from full_size_engines import LAYOUTS, config_of
from numpy.typing import NDArray
from reference_generators import CONFIGS, OFFICIAL, REFERENCE, error, figures, reference_generator, weights
from safetensors.torch import load_file
from shared_data import NETWORKS

from models.stylegan.checkpoint import build, read_checkpoint, shapes
from models.stylegan.layers import ModulatedConvolution
from models.stylegan.stylegan2 import StyledConvolution, StyleGan2, StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config

MAPPING, SYNTHESIS = 1e-5, 1e-4


def holds(limit: float, what: str, ours: torch.Tensor, theirs: NDArray[np.float32]) -> bool:
    """Whether the error is at most `limit`; it is printed, for `pytest -rP`."""
    found = error(ours, theirs)
    print(f"error of {what}: {found:.1e}")
    return found <= limit


@pytest.mark.parametrize("name", OFFICIAL)
def test_mapping_and_truncation(name: str) -> None:
    generator, reference = reference_generator(name), figures(name)
    w = generator.mapping(torch.from_numpy(reference["z"]))
    assert holds(MAPPING, f"{name}, mapping", w, reference["w"])
    truncated = generator.truncate(generator.broadcast(w), 0.7, cutoff=4)
    assert holds(MAPPING, f"{name}, truncation", truncated[:2], reference["ws_psi07_cut4"])


@pytest.mark.parametrize("name", OFFICIAL)
def test_pictures_of_plain_truncated_and_mixed_styles(name: str) -> None:
    generator, reference = reference_generator(name), figures(name)
    mixed = generator.synthesis(torch.from_numpy(reference["ws_mixed"]))
    assert holds(SYNTHESIS, f"{name}, pictures of mixed styles", mixed, reference["img_const_mixed"])
    truncated = generator.synthesis(torch.from_numpy(reference["ws_psi07_cut4"][:1]))
    assert holds(SYNTHESIS, f"{name}, truncated pictures", truncated, reference["img_const_psi07_cut4"])


def test_pictures_without_noise() -> None:
    generator, reference = reference_generator("sg2-32"), figures("sg2-32")
    assert isinstance(generator, StyleGan2)
    ws = torch.from_numpy(reference["ws_psi07_cut4"][:1])
    bare = generator.synthesis(ws, "none")
    assert holds(SYNTHESIS, "sg2-32, pictures without noise", bare, reference["img_none_psi07_cut4"])


def test_random_noise_is_fresh_and_as_strong_as_the_constant_one() -> None:
    generator, reference = reference_generator("sg2-32"), figures("sg2-32")
    assert isinstance(generator, StyleGan2)
    ws = torch.from_numpy(reference["ws_mixed"])
    without, constant = generator.synthesis(ws, "none"), generator.synthesis(ws)
    fresh = [generator.synthesis(ws, "random") for _ in range(2)]
    assert not torch.allclose(*fresh, atol=1e-3)
    assert 0.3 < float((fresh[0] - without).std() / (constant - without).std()) < 3


@pytest.mark.parametrize("name", ["sg3t-32", "sg3r-32"])
def test_the_input_can_be_turned_shifted_and_scaled(name: str) -> None:
    reference = figures(name)
    generator = build(reference_generator(name).config, reference_generator(name).state_dict())
    assert isinstance(generator, StyleGan3)
    generator.synthesis.input.transform = torch.from_numpy(reference["transform_scaled"])
    w = generator.mapping(torch.from_numpy(reference["z"][:1]))
    waves, picture = generator.synthesis.input(w), generator.synthesis(generator.broadcast(w))
    assert holds(SYNTHESIS, f"{name}, the input under a transform", waves, reference["input_scaled"])
    assert holds(SYNTHESIS, f"{name}, the picture under it", picture, reference["img_const_psi1_transform_scaled"])


def test_placing_is_the_matrix_of_the_official_scripts_and_moves_the_picture_as_it_says() -> None:
    generator = build(CONFIGS["sg3r-32"], weights("sg3r-32"))
    assert isinstance(generator, StyleGan3)
    stored = generator.synthesis.input.transform
    generator.synthesis.input.place(25, 0.12, -0.2)  # what the reference was drawn with
    assert torch.allclose(generator.synthesis.input.transform, stored, atol=1e-6)

    def placed(degrees: float, x: float, y: float) -> torch.Tensor:
        generator.synthesis.input.place(degrees, x, y)
        return generator.synthesis(generator.broadcast(generator.code_of_seed(4)))[..., 8:24, 8:24]

    generator.synthesis.input.place()
    whole = generator.synthesis(generator.broadcast(generator.code_of_seed(4)))
    spread = whole.std()
    assert (placed(0, 3 / 32, 0) - whole[..., 8:24, 5:21]).abs().mean() < 0.1 * spread
    assert (placed(0, 0, 2 / 32) - whole[..., 6:22, 8:24]).abs().mean() < 0.1 * spread
    assert (placed(90, 0, 0) - torch.rot90(whole, 1, (2, 3))[..., 8:24, 8:24]).abs().mean() < 0.1 * spread


def test_the_checkpoint_of_rosinality() -> None:
    reference = figures("rosinality-64")
    checkpoint = read_checkpoint(REFERENCE / "rosinality-64.pt")
    generator = build(checkpoint.config, checkpoint.tensors)
    assert isinstance(generator, StyleGan2)
    assert np.array_equal(generator.w_avg, reference["latent_avg"])
    w = generator.mapping(torch.from_numpy(reference["z"]))
    assert holds(MAPPING, "rosinality-64, mapping", w, reference["w"])
    assert holds(MAPPING, "rosinality-64, truncation", generator.truncate(w, 0.7), reference["w_psi07"])
    mixed = generator.synthesis(torch.from_numpy(reference["ws_mixed"]))
    assert holds(SYNTHESIS, "rosinality-64, pictures of mixed styles", mixed, reference["img_const_mixed"])
    bare = generator.synthesis(torch.from_numpy(reference["ws_psi1"]), "none")
    assert holds(SYNTHESIS, "rosinality-64, pictures without noise", bare, reference["img_none_psi1"])


@pytest.mark.parametrize("name", LAYOUTS)
def test_full_size_networks_are_laid_out_alike(name: str) -> None:
    layout = LAYOUTS[name]
    config = config_of(layout["arguments"])
    with torch.device("meta"):
        generator = StyleGan2(config) if isinstance(config, StyleGan2Config) else StyleGan3(config)
    ours = shapes(config)
    digest = hashlib.sha256("\n".join(f"{n} {shape}" for n, shape in sorted(ours.items())).encode()).hexdigest()
    assert (len(ours), digest) == (layout["tensors"], layout["names_and_shapes_sha256"])
    assert generator.num_ws == layout["num_ws"]
    assert sum(parameter.numel() for parameter in generator.parameters()) == layout["parameters"]
    if isinstance(config, StyleGan3Config):
        ours_too = [[x.name, x.up, x.down, x.up_taps, x.down_taps, x.radial, *x.padding] for x in config.layers]
        assert ours_too == layout["layers"]


@pytest.mark.parametrize("name", OFFICIAL)
def test_half_precision_stays_true_and_in_range(name: str) -> None:
    generator, reference = reference_generator(name), figures(name)
    half = build(generator.config, {n: t.clone() for n, t in generator.state_dict().items()}).to_half_precision()
    largest: list[float] = []
    convolutions = [m for m in half.modules() if isinstance(m, ModulatedConvolution)]
    for module in convolutions:
        module.register_forward_hook(lambda _, __, out: largest.append(float(out.abs().max())))
    picture = half.synthesis(torch.from_numpy(reference["ws_mixed"]))
    assert picture.dtype == torch.float32
    assert convolutions[-1].weight.dtype == torch.float16
    psnr = 10 * torch.log10(4 / (picture - torch.from_numpy(reference["img_const_mixed"])).square().mean())
    assert psnr >= 40
    assert max(largest) < torch.finfo(torch.float16).max / 10


def test_only_the_four_largest_resolutions_are_halved_where_nothing_is_clamped() -> None:
    config = StyleGan2Config(resolution=128, z_dim=8, w_dim=8, mapping_layers=1, channels=[4] * 6)
    generator = StyleGan2(config).to_half_precision()
    halved = {
        m.noise_const.shape[0] for m in generator.modules() if isinstance(m, StyledConvolution) and m.weight.dtype == torch.half
    }
    assert halved == {16, 32, 64, 128}


@pytest.mark.parametrize("name", OFFICIAL)
def test_features_are_the_way_to_the_picture(name: str) -> None:
    generator = reference_generator(name)
    ws = generator.broadcast(generator.code_of_seed(1)).clone().requires_grad_()
    features = generator.features(ws, 16)
    assert features.shape[0] == 1
    assert features.shape[2:] == (16, 16)
    features.square().mean().backward()
    assert ws.grad is not None
    reached = (ws.grad[0].abs().sum(dim=1) > 0).tolist()
    assert reached == sorted(reached, reverse=True)  # the first rows only
    assert 1 < sum(reached) < generator.num_ws
    with pytest.raises(ValueError, match="1000"):
        generator.features(ws, 1000)


@pytest.mark.parametrize("name", OFFICIAL)
def test_smaller_pictures_are_averages(name: str) -> None:
    generator = reference_generator(name)
    assert generator.sizes == (32,)
    generator64 = StyleGan2(StyleGan2Config(resolution=64, z_dim=8, w_dim=8, mapping_layers=1, channels=[4] * 5))
    assert generator64.sizes == (32, 64)
    ws = torch.randn(1, generator64.num_ws, 8)
    assert torch.allclose(generator64.picture(ws, 32), torch.nn.functional.avg_pool2d(generator64.synthesis(ws), 2))


def test_style_mixing_takes_the_rows_that_are_named_from_the_other() -> None:
    generator = reference_generator("sg2-32")
    a, b = (generator.broadcast(generator.code_of_seed(seed)) for seed in (1, 2))
    mixed = generator.mix(a, b, [0, 3, 5])
    assert torch.equal(mixed[:, [0, 3, 5]], b[:, [0, 3, 5]])
    assert torch.equal(mixed[:, [1, 2, 4, 6, 7]], a[:, [1, 2, 4, 6, 7]])


@pytest.mark.parametrize("name", ["sg2-32", "sg2-64", "sg3t-32", "sg3r-32"])
def test_every_reference_picture_where_all_are_at_hand(name: str) -> None:
    folder = NETWORKS / "reference"
    if not folder.exists():
        pytest.skip(f"needs all reference figures in {folder}")
    tensors, info = load_file(folder / f"{name}.safetensors"), json.loads((folder / f"{name}.json").read_text())["config"]
    arguments = {**info["generator_kwargs"], **{key: info[key] for key in ("img_resolution", "c_dim")}}
    if "synthesis_kwargs" in arguments:
        arguments["synthesis_kwargs"].setdefault("conv_clamp", None)
    generator = build(config_of(arguments), tensors)
    with np.load(folder / f"{name}.npz") as reference:
        keys = [key for key in reference if key.startswith("img_") and "transform" not in key]
        assert len(keys) >= 4
        for key in keys:
            mode, code = key.split("_", 2)[1:]
            ws = torch.from_numpy(reference[f"ws_{code}"])
            picture = generator.synthesis(ws, mode) if isinstance(generator, StyleGan2) else generator.synthesis(ws)
            assert holds(SYNTHESIS, f"{name}, {key}", picture, reference[key])
