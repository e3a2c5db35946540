"""The colours of a picture without its detail, for a head (`head.py`): the layers that it skips, on averages.

A head's own hidden layers are too few for all that the style factors do to rare colours. So the features of every square of
CELL × CELL positions are averaged, and the averages go the whole way, through copies of the layers that are skipped: a sixteenth
of their work. Since layers that bend do not map averages to averages, the copies are fitted on, and told the peaks as well. What
a head drew is then moved, smoothly, to these colours.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.stylegan.mobile import BLOCK_CHANNELS, HAAR_CHANNELS, LEAKY_SLOPE, Block, MobileStyleGAN, haar_synthesis

CELL: Final = 4  # positions of the 128² features to the side of a square
SQUARES: Final = 128 // CELL  # to the side of a whole picture
FEATURES: Final = BLOCK_CHANNELS[4]
BLOCKS: Final = ((HAAR_CHANNELS[5], BLOCK_CHANNELS[5]), (HAAR_CHANNELS[6], BLOCK_CHANNELS[6]))  # behind them
REACH: Final = 2  # squares to each side that a colour depends on
REACH_WITH_REST: Final = 3
WEIGHED: Final = 64  # width of what weighs the head's colours against these


class AveragedConvolution(nn.Module):
    """The generator's separable convolution, without noise: (N, C_in, H, W), styled already → (N, C_out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        # Behind the edge nothing is black: one square here is eight pixels of the picture, not one.
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.leaky_relu(self.pointwise(self.depthwise(x)), LEAKY_SLOPE)


class AveragedBlock(nn.Module):
    """One block of the generator on averages: (N, 4 `haar`, H, W), styled already → (N, `out`, 2H, 2W)."""

    def __init__(self, haar: int, out: int) -> None:
        super().__init__()
        self.conv1 = AveragedConvolution(haar, out)
        self.conv2 = AveragedConvolution(out, out)

    def forward(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """`first` and `second` are the style factors (N, C) of the convolutions."""
        x = self.conv1(haar_synthesis(x) * first[:, :, None, None])
        bent: Tensor = self.conv2(x * second[:, :, None, None])
        return bent


def averages(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of what a head's hidden layers read (N, C, H, W), in every square: mean and peak, each (N, C, H/CELL, W/CELL)."""
    return F.avg_pool2d(x, CELL), F.max_pool2d(x, CELL)


def between(squares: int, pixels: int) -> tuple[Tensor, Tensor]:
    """Matrices that shrink a row of pixels to one of squares by averaging (`squares`, `pixels`), and that stretch it bilinearly
    (`pixels`, `squares`).

    Products with them are `avg_pool2d` and `interpolate`, in a fraction of the time where an engine keeps channels last.
    """
    ratio = pixels // squares
    shrinking = np.repeat(np.eye(squares), ratio, axis=1) / ratio
    places = np.clip((np.arange(pixels) + 0.5) / ratio - 0.5, 0, squares - 1)  # of pixels' middles, between squares' middles
    stretching = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(squares)))
    return torch.from_numpy(shrinking).float(), torch.from_numpy(stretching).float()


class SlowColour(nn.Module):
    """What a head reads and draws → the picture with the colours that it should have.

    `channels` are those that its hidden layers read: all that the generator hands on at 128² or, with `rest`, what stands for
    the first convolution of that block, and the averages go through its second one too. `picture` is the side of what it moves,
    unless it is a part of the whole.
    """

    shrinking: Tensor
    stretching: Tensor

    def __init__(self, channels: int = FEATURES, *, rest: bool = False, picture: int = 256) -> None:
        super().__init__()
        # As buffers they are where the weights are: nothing is made or copied while a frame is drawn, or a CUDA graph recorded.
        for name, matrix in zip(("shrinking", "stretching"), between(SQUARES, picture), strict=True):
            self.register_buffer(name, matrix, persistent=False)
        self.loudness = nn.Parameter(torch.ones(channels))
        self.peaks = nn.Conv2d(channels, channels, 1, bias=False)
        self.rest = AveragedConvolution(channels, FEATURES) if rest else None
        self.blocks = nn.ModuleList(AveragedBlock(haar, out) for haar, out in BLOCKS)
        self.rgb = nn.Conv2d(BLOCK_CHANNELS[-1], 3, 1)
        ups = (FEATURES, BLOCK_CHANNELS[5])
        self.sizes = [n for up, (haar, out) in zip(ups, BLOCKS, strict=True) for n in (up, haar, out)] + [BLOCK_CHANNELS[6]]
        self.hidden = nn.Conv2d(BLOCK_CHANNELS[-1] + 9, WEIGHED, 1)
        self.weighed = nn.Conv2d(WEIGHED, 3, 1)

    @torch.no_grad()
    def begin_as(self, generator: MobileStyleGAN, loudness: Tensor, kept: Tensor | None = None) -> None:
        """As that generator's own layers, if the hidden layers read its features divided by `loudness` (C,); with `rest`, those
        of its channels that are `kept` (C,)."""
        self.loudness.copy_(loudness)
        self.peaks.weight.zero_()
        before, *behind = list(generator.blocks)[-1 - len(BLOCKS) :]
        if self.rest is not None:
            assert isinstance(before, Block)
            assert kept is not None
            begun = before.conv2
            self.rest.depthwise.weight.copy_(begun.depthwise.weight[kept])
            self.rest.pointwise.weight.copy_(begun.pointwise.weight[:, kept])
            self.rest.pointwise.load_state_dict({"bias": begun.pointwise.bias}, strict=False)
        for own, block in zip(self.blocks, behind, strict=True):
            assert isinstance(own, AveragedBlock)
            assert isinstance(block, Block)
            for averaged, whole in ((own.conv1, block.conv1), (own.conv2, block.conv2)):
                averaged.depthwise.load_state_dict(whole.depthwise.state_dict())
                averaged.pointwise.load_state_dict(whole.pointwise.state_dict())
        bands = generator.rgb.conv
        assert isinstance(bands, nn.Conv2d)
        for colour, band in zip(self.rgb.parameters(), bands.parameters(), strict=True):
            colour.copy_(band[:3] * 0.5)  # see MobileStyleGAN.synthesis
        for part in self.weighed.parameters():
            part.zero_()

    def skipped(self, mean: Tensor, peak: Tensor, styles: Tensor) -> Tensor:
        """`averages` and the style factors that the hidden layers are told → what the last of the skipped layers would hand on,
        styled (N, 64, 4h, 4w)."""
        factors = torch.split(styles[:, -sum(self.sizes) :].to(mean.dtype), self.sizes, dim=1)
        x = mean * self.loudness[:, None, None] + self.peaks(peak)
        if self.rest is not None:
            x = self.rest(x) * factors[0][:, :, None, None]
        x = self.blocks[0](x, factors[1], factors[2]) * factors[3][:, :, None, None]
        finest: Tensor = self.blocks[1](x, factors[4], factors[5]) * factors[6][:, :, None, None]
        return finest

    def weigh(self, skipped: Tensor, drawn: Tensor) -> Tensor:
        """`skipped`, and what a head drew in the same squares, averaged (N, 3, h, w) → what it should have drawn, averaged."""
        x = F.avg_pool2d(skipped, 2 ** len(BLOCKS))
        own = self.rgb(x)
        better: Tensor = own + self.weighed(F.silu(self.hidden(torch.cat((x, own, drawn, own - drawn), dim=1))))
        return better

    def forward(self, x: Tensor, styles: Tensor, picture: Tensor) -> Tensor:
        """The hidden layers' input (N, C, H, W), the style factors that they are told, the head's picture (N, 3, P, P)."""
        (shrink_y, stretch_y), (shrink_x, stretch_x) = (
            [matrix.to(picture) for matrix in self._between(x.shape[side] // CELL, picture.shape[side])] for side in (2, 3)
        )
        drawn = shrink_y @ picture @ shrink_x.T
        wrong = self.weigh(self.skipped(*averages(x), styles), drawn) - drawn
        return picture + stretch_y @ wrong @ stretch_x.T

    def _between(self, squares: int, pixels: int) -> tuple[Tensor, Tensor]:
        if (squares, pixels) == self.shrinking.shape:
            return self.shrinking, self.stretching
        return between(squares, pixels)
