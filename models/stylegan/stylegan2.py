"""StyleGAN2 (Karras et al. 2020, arXiv:1912.04958) with skip connections, any resolution and width: config F and its relatives.

Synthesis grows a learnt 4² constant block by block to the full resolution; every block adds its own RGB picture to the one
before, doubled by a smooth filter.

Rows of `ws`: the constant's convolution reads row 0; block b (8² is 1, 16² is 2 …) reads rows 2b - 1 and 2b with its
convolutions; a block's RGB layer reads the row behind its last convolution, which is also the next block's first.
"""

from typing import Final, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from models.stylegan.filters import blur, upsample
from models.stylegan.generator import Generator
from models.stylegan.layers import GAIN, MOST_CLASSES, SLOPE, Mapping, ModulatedConvolution

NoiseMode = Literal["const", "none", "random"]

HALF_RESOLUTIONS: Final = 4


class StyleGan2Config(BaseModel):
    """What the weights belong to.

    channels: of the blocks 4², 8² … resolution²; conv_clamp: limit of the activations, None is none; label: the class that is
    drawn, of a conditional generator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    architecture: Literal["stylegan2"] = "stylegan2"
    resolution: int = Field(ge=8, le=4096)
    z_dim: int = Field(ge=1, le=4096)
    c_dim: int = Field(0, ge=0, le=MOST_CLASSES)
    w_dim: int = Field(ge=1, le=4096)
    mapping_layers: int = Field(ge=1, le=64)
    mapping_learning_rate: float = Field(0.01, gt=0, le=1)
    channels: list[int] = Field(min_length=2, max_length=11)
    conv_clamp: float | None = Field(None, gt=0)
    label: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.resolution != 4 << (len(self.channels) - 1):
            raise ValueError(f"{len(self.channels)} blocks end at {4 << (len(self.channels) - 1)}², not at {self.resolution}²")
        if not all(1 <= channels <= 8192 for channels in self.channels):
            raise ValueError(f"blocks of 1 to 8192 channels expected, got {self.channels}")
        if (self.label is None) != (self.c_dim == 0) or (self.label or 0) >= max(self.c_dim, 1):
            raise ValueError(f"a label from 0 to {self.c_dim - 1} belongs to {self.c_dim} classes, got {self.label}")
        return self


class StyledConvolution(ModulatedConvolution):
    """Modulated 3×3 convolution, twice the size if `up`, noise, leaky ReLU: (N, C_in, R / up, R / up) → (N, C_out, R, R)."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, resolution: int, config: StyleGan2Config, *, up: bool) -> None:
        super().__init__(in_channels, out_channels, 3, config.w_dim)
        self.up, self.clamp = up, config.conv_clamp
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.zeros(resolution, resolution))
        self.register_buffer("resample_filter", torch.zeros(4, 4))

    def forward(self, x: Tensor, w: Tensor, noise_mode: NoiseMode) -> Tensor:
        scale_in, scale_out = self.styles(w)
        x = x.to(self.weight.dtype) * scale_in.to(self.weight.dtype)
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = blur(x, self.resample_filter * 4, padding=(1, 1))  # gain 4: three of four samples were zeros
        else:
            x = F.conv2d(x, self.weight, padding=1)
        x = x * scale_out.to(x.dtype)
        if noise_mode == "random":
            x = x + (torch.randn_like(x[:, :1]) * self.noise_strength).to(x.dtype)
        elif noise_mode == "const":
            x = x + (self.noise_const * self.noise_strength)[None, None].to(x.dtype)
        x = F.leaky_relu(x + self.bias[:, None, None], SLOPE) * GAIN
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class ToRgb(ModulatedConvolution):
    """Features (N, C, R, R) → a picture (N, 3, R, R): a modulated 1×1 convolution without demodulation."""

    def __init__(self, in_channels: int, config: StyleGan2Config) -> None:
        super().__init__(in_channels, 3, 1, config.w_dim, demodulate=False)
        self.clamp = config.conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, _ = self.styles(w)
        picture = F.conv2d(x * scale.to(x.dtype), self.weight.to(x.dtype)) + self.bias[:, None, None].to(x.dtype)
        return picture.float() if self.clamp is None else picture.float().clamp(-self.clamp, self.clamp)


class Block(nn.Module):
    """One resolution. ws: the rows of its convolutions and of its RGB layer, (N, 3, w_dim), or (N, 2, w_dim) for 4²."""

    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, resolution: int, config: StyleGan2Config) -> None:
        super().__init__()
        if resolution == 4:
            self.const = nn.Parameter(torch.zeros(out_channels, 4, 4))
        else:
            self.conv0 = StyledConvolution(in_channels, out_channels, resolution, config, up=True)
        self.conv1 = StyledConvolution(out_channels, out_channels, resolution, config, up=False)
        self.torgb = ToRgb(out_channels, config)
        self.first = resolution == 4
        self.register_buffer("resample_filter", torch.zeros(4, 4))

    def forward(self, x: Tensor, ws: Tensor, noise_mode: NoiseMode) -> Tensor:
        """Features of the block before (none for 4²) → features."""
        x = self.const.expand(len(ws), -1, -1, -1) if self.first else self.conv0(x, ws[:, 0], noise_mode)
        features: Tensor = self.conv1(x, ws[:, -2], noise_mode)
        return features

    def add_picture(self, picture: Tensor | None, x: Tensor, ws: Tensor) -> Tensor:
        """The picture so far (N, 3, R/2, R/2), doubled, and what this block's features add to it: (N, 3, R, R)."""
        own: Tensor = self.torgb(x, ws[:, -1])
        return own if picture is None else upsample(picture, self.resample_filter, 2, (2, 1)) + own


class Synthesis(nn.Module):
    """ws (N, num_ws, w_dim) → pictures (N, 3, R, R)."""

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.resolutions = [4 << b for b in range(len(config.channels))]
        for b, resolution in enumerate(self.resolutions):
            block = Block(config.channels[max(b - 1, 0)], config.channels[b], resolution, config)
            setattr(self, f"b{resolution}", block)

    def blocks(self, ws: Tensor) -> list[tuple[Block, Tensor]]:
        """Every block with its rows of ws."""
        return [(getattr(self, f"b{r}"), ws[:, max(2 * b - 1, 0) : 2 * b + 2]) for b, r in enumerate(self.resolutions)]

    def forward(self, ws: Tensor, noise_mode: NoiseMode = "const") -> Tensor:
        """noise_mode: `const` the same noise every time, `none`, or `random`: fresh at every call."""
        x, picture = ws, None
        for block, rows in self.blocks(ws):
            x = block(x, rows, noise_mode)
            picture = block.add_picture(picture, x, rows)
        assert picture is not None
        return picture


class StyleGan2(Generator):
    """The whole generator. `mapping(z, c=None)` and `synthesis(ws, noise_mode="const")` are modules."""

    mapping: Mapping
    synthesis: Synthesis

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.config = config
        self.configuration = config.model_dump_json()
        self.z_dim, self.w_dim, self.resolution = config.z_dim, config.w_dim, config.resolution
        self.num_ws = 2 * len(config.channels)
        self.mapping = Mapping(config.z_dim, config.c_dim, config.w_dim, config.mapping_layers, config.mapping_learning_rate)
        self.synthesis = Synthesis(config)

    @property
    def w_avg(self) -> Tensor:  # type: ignore[override]  # a buffer elsewhere
        return self.mapping.w_avg

    def features(self, ws: Tensor, resolution: int) -> Tensor:
        x = ws
        for block, rows in self.synthesis.blocks(ws)[: self._block_of(resolution) + 1]:
            x = block(x, rows, "const")
        return x

    def rows_read(self, resolution: int) -> int:
        return 1 + 2 * self._block_of(resolution)

    def _block_of(self, resolution: int) -> int:
        if resolution not in self.synthesis.resolutions:
            raise ValueError(f"features of {resolution}² were asked for: there are {self.synthesis.resolutions}")
        return self.synthesis.resolutions.index(resolution)

    def to_half_precision(self) -> Self:
        """All convolutions where activations are clamped; else those of the four largest resolutions, as NVIDIA trains them."""
        smallest = 4 if self.config.conv_clamp is not None else self.resolution >> (HALF_RESOLUTIONS - 1)
        for resolution in self.synthesis.resolutions:
            if resolution >= smallest:
                for module in getattr(self.synthesis, f"b{resolution}").modules():
                    if isinstance(module, ModulatedConvolution):
                        module.to_half_precision()
        return self
