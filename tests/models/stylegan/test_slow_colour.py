"""Slow colours: at first exactly what the generator's own layers make of a flat surface; only slow changes of a picture."""

import torch
from torch.nn import functional as F

from models.stylegan.default import load_default_generator
from models.stylegan.mobile import LEAKY_SLOPE, Block, MobileStyleGAN, haar_synthesis
from models.stylegan.slow_colour import CELL, REACH, REACH_WITH_REST, SlowColour, averages, between


def first_guess(generator: MobileStyleGAN) -> SlowColour:
    slow = SlowColour().eval().requires_grad_(False)
    slow.begin_as(generator, torch.ones(len(slow.loudness)))
    return slow


def skipped(generator: MobileStyleGAN, features: torch.Tensor, ws: torch.Tensor) -> torch.Tensor:
    """The picture, 512², that the generator makes of 128² features, without noise."""
    x = features
    for b in (5, 6):
        block = generator.blocks[b]
        assert isinstance(block, Block)
        x = haar_synthesis(x * block.up(ws[:, 3 * b + 1]))
        for convolution, row in ((block.conv1, 3 * b + 2), (block.conv2, 3 * b + 3)):
            styled = x * convolution.style(ws[:, row])
            x = F.leaky_relu(convolution.pointwise(convolution.depthwise(styled)), LEAKY_SLOPE)
    bands: torch.Tensor = generator.rgb(x, ws[:, -1])
    return bands[:, :3] * 0.5


@torch.inference_mode()
def test_on_a_flat_surface_the_first_guess_is_the_generator() -> None:
    generator = load_default_generator()
    ws = generator.broadcast(generator.code_of_seed(7))
    levels = generator.features(ws, 128).mean(dim=(2, 3), keepdim=True)
    expected = skipped(generator, levels.expand(-1, -1, 32, 32), ws)[..., 32:96, 32:96].mean(dim=(2, 3))  # far from the edges
    styles = generator.skipped_styles(ws, 128)
    flat = levels.flatten(1)[:, :, None, None] * styles[:, :256, None, None]
    slow = first_guess(generator)
    x = flat.expand(-1, -1, 32, 32)
    colours = slow.weigh(slow.skipped(*averages(x), styles), torch.zeros(1, 3, 8, 8))[..., REACH:-REACH, REACH:-REACH]
    assert torch.allclose(colours, expected[:, :, None, None].expand_as(colours), atol=1e-4)


@torch.inference_mode()
def test_with_the_rest_of_a_block_it_is_the_generator_too() -> None:
    """What it reads stands for the block's first convolution; all of its channels, here."""
    generator = load_default_generator()
    ws = generator.broadcast(generator.code_of_seed(7))
    block = generator.blocks[4]
    assert isinstance(block, Block)
    begun = block.conv1(haar_synthesis(generator.features(ws, 64) * block.up(ws[:, 13])), ws[:, 14])
    levels = begun.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 40, 40)
    styled = levels * block.conv2.style(ws[:, 15])
    features = F.leaky_relu(block.conv2.pointwise(block.conv2.depthwise(styled)), LEAKY_SLOPE)
    expected = skipped(generator, features[..., 4:-4, 4:-4], ws)[..., 48:80, 48:80].mean(dim=(2, 3))
    slow = SlowColour(rest=True).eval().requires_grad_(False)
    slow.begin_as(generator, torch.ones(256), torch.arange(256))
    styles = generator.skipped_styles(ws, 64)[:, 512 + 128 :]
    colours = slow.weigh(slow.skipped(*averages(styled), styles), torch.zeros(1, 3, 10, 10))
    middle = colours[..., REACH_WITH_REST:-REACH_WITH_REST, REACH_WITH_REST:-REACH_WITH_REST]
    assert torch.allclose(middle, expected[:, :, None, None].expand_as(middle), atol=1e-4)


@torch.inference_mode()
def test_what_is_added_to_a_picture_is_slow_and_brings_its_averages_nearer() -> None:
    generator = load_default_generator()
    ws = generator.broadcast(generator.code_of_seed(8))
    styles = generator.skipped_styles(ws, 128)
    x = generator.features(ws, 128) * styles[:, :256, None, None]
    slow = first_guess(generator)
    picture = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) - 0.5
    corrected = slow(x, styles, picture)
    added = corrected - picture
    assert added.diff(dim=3).abs().max() < added.abs().max() / CELL  # a bilinear ramp over eight pixels
    wanted = slow.weigh(slow.skipped(*averages(x), styles), F.avg_pool2d(picture, 8))
    before, after = ((F.avg_pool2d(p, 8) - wanted).abs().mean() for p in (picture, corrected))
    assert after < 0.3 * before


def test_products_shrink_and_stretch_as_pooling_and_interpolation_do() -> None:
    """At an edge too, where half a square has no neighbour."""
    picture, squares = torch.rand(2, 3, 64, 96), torch.rand(2, 3, 8, 12)
    (shrink_y, stretch_y), (shrink_x, stretch_x) = between(8, 64), between(12, 96)
    assert torch.allclose(shrink_y @ picture @ shrink_x.T, F.avg_pool2d(picture, 8), atol=1e-6)
    stretched = F.interpolate(squares, scale_factor=8.0, mode="bilinear")
    assert torch.allclose(stretch_y @ squares @ stretch_x.T, stretched, atol=1e-6)
    for matrix in (shrink_y, stretch_y):
        assert torch.equal(matrix.half().float(), matrix), "float16 and bfloat16 hold them exactly"
        assert torch.equal(matrix.bfloat16().float(), matrix)
