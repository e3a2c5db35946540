"""MobileStyleGAN (Belousov 2021, arXiv:2104.04767): latents in, a 1024² face out, as a plain torch module.

Mapping z → w as in StyleGAN2. Synthesis grows a 4² constant to 512² in seven blocks of depthwise separable convolutions; each
block doubles the size with an inverse Haar transform instead of an upsampling filter, and one last Haar step makes the
1024² picture. There is no demodulation at run time and the noise is constant, so a picture is a pure function of its `ws`.

Rows of `ws`: 0 is the 4² convolution; 1 + 3b, 2 + 3b, 3 + 3b are the upsampling and the two convolutions of block b (size
8·2^b); the last row is the RGB layer. Weights come from `models.stylegan.default`.
"""

from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.stylegan.generator import Generator

BLOCK_CHANNELS: Final = (512, 512, 512, 512, 256, 128, 64)  # leaving the blocks of 8², 16², … 512²
HAAR_CHANNELS: Final = (128, 128, 128, 128, 128, 64, 32)  # after a block's Haar step: a quarter of what enters it
LEAKY_SLOPE: Final = 0.2


def haar_synthesis(bands: Tensor) -> Tensor:
    """One step of the inverse 2-D Haar transform: (N, 4C, H, W) → (N, C, 2H, 2W).

    Four groups of C channels: the low band, then vertical, horizontal and diagonal detail. The groups are whole, and the
    shuffle moves whole groups, because that is what channels-last engines do without touching single numbers.
    """
    low, vertical, horizontal, diagonal = (bands * 0.5).chunk(4, dim=1)
    top, bottom = low + vertical, low - vertical
    right, left = horizontal + diagonal, horizontal - diagonal
    return interleave(torch.cat((top + right, top - right, bottom + left, bottom - left), dim=1))


def interleave(corners: Tensor, side: int = 2) -> Tensor:
    """Groups of C channels, each one place in every square of `side`: (N, side² C, H, W) → (N, C, side H, side W)."""
    n, channels, h, w = corners.shape
    c = channels // side**2
    return corners.view(n, side, side, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c, side * h, side * w)


class Style(nn.Linear):
    """w (N, 512) → one factor per channel (N, C, 1, 1): the affine `A` of StyleGAN."""

    def forward(self, w: Tensor) -> Tensor:
        return super().forward(w)[:, :, None, None]


class SeparableConvolution(nn.Module):
    """Style, 3×3 depthwise and 1×1 convolution, constant noise, leaky ReLU: (N, C_in, R, R) → (N, C_out, R, R)."""

    noise: Tensor

    def __init__(self, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.style = Style(512, in_channels)
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.register_buffer("noise", torch.zeros(1, 1, resolution, resolution))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.pointwise(self.depthwise(x * self.style(w)))
        return F.leaky_relu(x + self.noise, LEAKY_SLOPE)


class FirstConvolution(nn.Module):
    """The learnt 4² constant through a styled dense 3×3 convolution: w (N, 512) → (N, 512, 4, 4)."""

    noise: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(1, 512, 4, 4))
        self.style = Style(512, 512)
        self.conv = nn.Conv2d(512, 512, 3, padding=1)
        self.register_buffer("noise", torch.zeros(1, 1, 4, 4))

    def forward(self, w: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(self.constant * self.style(w)) + self.noise, LEAKY_SLOPE)


class Block(nn.Module):
    """Twice the size: styled Haar step, then two separable convolutions. ws: this block's three rows (N, 3, 512)."""

    def __init__(self, in_channels: int, haar_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.up = Style(512, in_channels)
        self.conv1 = SeparableConvolution(haar_channels, out_channels, resolution)
        self.conv2 = SeparableConvolution(out_channels, out_channels, resolution)

    def forward(self, x: Tensor, ws: Tensor) -> Tensor:
        x = self.conv1(haar_synthesis(x * self.up(ws[:, 0])), ws[:, 1])
        finer: Tensor = self.conv2(x, ws[:, 2])
        return finer


class Rgb(nn.Module):
    """Features (N, 64, 512, 512) → the last twelve Haar bands (N, 12, 512, 512): a styled 1×1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.style = Style(512, BLOCK_CHANNELS[-1])
        self.conv = nn.Conv2d(BLOCK_CHANNELS[-1], 12, 1)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        bands: Tensor = self.conv(x * self.style(w))
        return bands


class MobileStyleGAN(Generator):
    """The whole generator. Pictures are RGB, float32, about -1…1 (not clamped)."""

    z_dim = 512
    w_dim = 512
    num_ws = 2 + 3 * len(BLOCK_CHANNELS)
    resolution = 1024
    w_avg: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(512, 512) for _ in range(8))
        self.first = FirstConvolution()
        self.blocks = nn.ModuleList()
        in_channels = 512
        for b, (haar, out) in enumerate(zip(HAAR_CHANNELS, BLOCK_CHANNELS, strict=True)):
            self.blocks.append(Block(in_channels, haar, out, resolution=8 << b))
            in_channels = out
        self.rgb = Rgb()
        self.register_buffer("w_avg", torch.zeros(512))

    def mapping(self, z: Tensor) -> Tensor:
        """z (N, 512) ~ N(0, 1) → w (N, 512)."""
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAKY_SLOPE) * 2**0.5
        return x

    def features(self, ws: Tensor, resolution: int) -> Tensor:
        """What leaves the block of `resolution` (8, 16, … 512): (N, C, R, R); 256 channels at 128². Differentiable.

        Reads rows 0 … 3·(log2 R - 2) of ws (N, ≥ that many, 512) only.
        """
        x: Tensor = self.first(ws[:, 0])
        for b in range(self._block_of(resolution) + 1):
            x = self.blocks[b](x, ws[:, 1 + 3 * b : 4 + 3 * b])
        return x

    def rows_read(self, resolution: int) -> int:
        return 4 + 3 * self._block_of(resolution)

    def _block_of(self, resolution: int) -> int:
        sizes = [8 << b for b in range(len(self.blocks))]
        if resolution not in sizes:
            raise ValueError(f"features of {resolution}² were asked for: there are {sizes}")
        return sizes.index(resolution)

    def skipped_styles(self, ws: Tensor, resolution: int) -> Tensor:
        """What the layers behind the features of `resolution` are told by ws: all their style factors in order, (N, S).

        736 behind 128², 1632 behind 64²; the next block's `up` first, as many as the features have channels.
        """
        styles = []
        for b in range(self._block_of(resolution) + 1, len(self.blocks)):
            block, row = self.blocks[b], 1 + 3 * b
            assert isinstance(block, Block)
            styles += [block.up(ws[:, row]), block.conv1.style(ws[:, row + 1]), block.conv2.style(ws[:, row + 2])]
        return torch.cat([*styles, self.rgb.style(ws[:, -1])], dim=1).flatten(1)

    def synthesis(self, ws: Tensor, resolution: int = 1024) -> Tensor:
        """ws (N, num_ws, 512) → pictures (N, 3, R, R) for R = 1024, or 512: exactly the 1024² picture shrunk by averaging.

        (The mean of four pixels is half the low band of the Haar step that would have made them.)
        """
        if resolution not in (512, 1024):
            raise ValueError(f"a picture of {resolution}² was asked for: MobileStyleGAN draws 512² and 1024²")
        bands: Tensor = self.rgb(self.features(ws, 512), ws[:, -1])
        return haar_synthesis(bands) if resolution == 1024 else bands[:, :3] * 0.5

    forward = synthesis

    @property
    def sizes(self) -> tuple[int, ...]:
        return (256, 512, 1024)

    def picture(self, ws: Tensor, size: int) -> Tensor:
        return F.avg_pool2d(self.synthesis(ws, 512), 2) if size == 256 else self.synthesis(ws, size)

    def to_half_precision(self) -> Self:
        """Everything: values stay below a tenth of the range of float16."""
        return self.half()
