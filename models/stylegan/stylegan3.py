"""StyleGAN3 (Karras et al. 2021, arXiv:2106.12423), configurations T and R, any resolution: a picture that moves with its parts.

Every signal inside is treated as a sampled continuous one. Synthesis starts from Fourier features, whose place and turn can be
chosen, and each layer filters around its nonlinearity so that nothing folds back; bandwidth and sampling rate grow from layer to
layer by the design of the paper's section 3.2 and appendix F. Layers carry a margin of 10 samples beyond the picture, cut off
before the last ones.

Rows of `ws`: 0 places and turns the input, row i + 1 is the style of layer i.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from models.stylegan.filters import filtered_lrelu
from models.stylegan.generator import Generator
from models.stylegan.layers import GAIN, MOST_CLASSES, SLOPE, Linear, Mapping, ModulatedConvolution


@dataclass(frozen=True)
class Layer:
    """The design of one layer. Sizes in samples with margin, rates in samples per picture, cutoffs in cycles per picture."""

    index: int
    is_rgb: bool
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    in_rate: int
    out_rate: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    kernel: int

    @property
    def name(self) -> str:
        return f"L{self.index}_{self.out_size}_{self.out_channels}"

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros around the upsampled signal (negative: samples cut), so that `out_size` comes out and stays in the middle."""
        wanted = (self.out_size - 1) * self.down + 1 + (self.up_taps - 1) + (self.down_taps - 1)
        there = (self.in_size + self.kernel - 1) * self.up
        before = (wanted - there + self.up) // 2  # one sample's offset of the up-factor goes to the front
        return before, wanted - there - before


class StyleGan3Config(BaseModel):
    """What the weights belong to; names and defaults are those of the official code's arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    architecture: Literal["stylegan3"] = "stylegan3"
    resolution: int = Field(ge=8, le=4096)
    z_dim: int = Field(ge=1, le=4096)
    c_dim: int = Field(0, ge=0, le=MOST_CLASSES)
    w_dim: int = Field(ge=1, le=4096)
    mapping_layers: int = Field(ge=1, le=64)
    mapping_learning_rate: float = Field(0.01, gt=0, le=1)
    channel_base: int = Field(32768, ge=1, le=2**24)
    channel_max: int = Field(512, ge=1, le=8192)
    num_layers: int = Field(14, ge=1, le=64)
    num_critical: int = Field(2, ge=0, le=64)
    first_cutoff: float = Field(2.0, ge=1, le=4096)
    first_stopband: float = Field(2**2.1, ge=1, le=4096)
    last_stopband_rel: float = Field(2**0.3, ge=1, le=16)
    margin_size: int = Field(10, ge=0, le=256)
    output_scale: float = Field(0.25, gt=0, le=1000)
    conv_kernel: int = Field(3, ge=1, le=7)
    filter_size: int = Field(6, ge=1, le=32)
    lrelu_upsampling: int = Field(2, ge=1, le=8)
    use_radial_filters: bool = False
    conv_clamp: float | None = Field(256.0, gt=0)
    label: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.resolution & (self.resolution - 1):
            raise ValueError(f"a resolution that is a power of two expected, got {self.resolution}")
        if self.num_critical >= self.num_layers:
            raise ValueError(f"fewer critical layers than the {self.num_layers} layers expected, got {self.num_critical}")
        if (self.label is None) != (self.c_dim == 0) or (self.label or 0) >= max(self.c_dim, 1):
            raise ValueError(f"a label from 0 to {self.c_dim - 1} belongs to {self.c_dim} classes, got {self.label}")
        if min(self.channels) < 1:
            raise ValueError(f"channels in every layer expected, a channel_base of {self.channel_base} leaves none in some")
        return self

    @cached_property
    def cutoffs(self) -> list[float]:
        """Of every layer's output: growing geometrically, critical (half the sampling rate) in the last `num_critical` ones."""
        last = self.resolution / 2
        return [self.first_cutoff * (last / self.first_cutoff) ** growth for growth in self._growth]

    @cached_property
    def rates(self) -> list[int]:
        """Sampling rates: the powers of two that hold twice the stopband, at most the resolution."""
        last = self.resolution / 2 * self.last_stopband_rel
        stopbands = [self.first_stopband * (last / self.first_stopband) ** growth for growth in self._growth]
        return [2 ** math.ceil(math.log2(min(stopband * 2, self.resolution))) for stopband in stopbands]

    @cached_property
    def channels(self) -> list[int]:
        """Of every layer's output: the fewer, the finer; the last are the picture's colours."""
        return [*(round(min(self.channel_base / 2 / cutoff, self.channel_max)) for cutoff in self.cutoffs[:-1]), 3]

    @property
    def _growth(self) -> list[float]:
        return [min(i / (self.num_layers - self.num_critical), 1.0) for i in range(self.num_layers + 1)]

    @cached_property
    def layers(self) -> list[Layer]:
        """The design of all `num_layers` + 1 layers; the last one makes the picture."""
        sizes = [rate + 2 * self.margin_size for rate in self.rates]
        sizes[-2:] = [self.resolution, self.resolution]
        channels = self.channels
        layers = []
        for i in range(self.num_layers + 1):
            before, is_rgb = max(i - 1, 0), i == self.num_layers
            critical = i >= self.num_layers - self.num_critical
            inner = max(self.rates[before], self.rates[i]) * (1 if is_rgb else self.lrelu_upsampling)
            up, down = inner // self.rates[before], inner // self.rates[i]
            layers.append(
                Layer(
                    index=i,
                    is_rgb=is_rgb,
                    in_channels=channels[before],
                    out_channels=channels[i],
                    in_size=sizes[before],
                    out_size=sizes[i],
                    in_rate=self.rates[before],
                    out_rate=self.rates[i],
                    up=up,
                    down=down,
                    up_taps=self.filter_size * up if up > 1 and not is_rgb else 1,
                    down_taps=self.filter_size * down if down > 1 and not is_rgb else 1,
                    radial=self.use_radial_filters and not critical,
                    kernel=1 if is_rgb else self.conv_kernel,
                )
            )
        return layers


class FourierInput(nn.Module):
    """w (N, w_dim) → features (N, C, size, size): waves of fixed frequency, placed and turned by w and by `transform`.

    transform (3, 3): a user's own turn and shift of the whole picture, the inverse matrix in units of the picture's width;
    frequencies that a transform makes too fine for the sampling rate fade out.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, channels: int, size: int, rate: int, bandwidth: float, w_dim: int) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.weight = nn.Parameter(torch.zeros(channels, channels))
        self.affine = Linear(w_dim, 4)
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", torch.zeros(channels, 2))
        self.register_buffer("phases", torch.zeros(channels))

    def place(self, degrees: float = 0.0, x: float = 0.0, y: float = 0.0) -> None:
        """Turn the picture anticlockwise and shift it by x and y picture widths, right and down."""
        angle = math.radians(degrees)
        turned = [[math.cos(angle), math.sin(angle), x], [-math.sin(angle), math.cos(angle), y], [0.0, 0.0, 1.0]]
        self.transform = torch.linalg.inv(torch.tensor(turned, dtype=torch.float64)).to(self.transform)

    def forward(self, w: Tensor) -> Tensor:
        cosine, sine, x, y = self.affine(w).split(1, dim=1)
        length = torch.sqrt(cosine.square() + sine.square())
        cosine, sine, x, y = cosine / length, sine / length, x / length, y / length
        # Turn behind shift, both inverse, since they move the place that is looked at and not the waves: (N, 2, 2) and (N, 2).
        turn = torch.stack([torch.cat([cosine, -sine], dim=1), torch.cat([sine, cosine], dim=1)], dim=1)
        shift = -(turn @ torch.stack([x, y], dim=1))
        shift = (turn @ self.transform[:2, 2:] + shift)[:, :, 0]
        turn = turn @ self.transform[:2, :2]

        freqs = self.freqs @ turn  # (N, C, 2)
        phases = self.phases + (self.freqs @ shift[:, :, None])[:, :, 0]
        fineness = torch.sqrt(freqs.square().sum(dim=2))
        amplitudes = (1 - (fineness - self.bandwidth) / (self.rate / 2 - self.bandwidth)).clamp(0, 1)

        places = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5 - self.size / 2) / self.rate
        along_x = freqs[:, :, 0, None, None] * places  # (N, C, 1, size)
        along_y = freqs[:, :, 1, None, None] * places[:, None]  # (N, C, size, 1)
        waves = torch.sin(2 * math.pi * (along_x + along_y + phases[:, :, None, None])) * amplitudes[:, :, None, None]
        return F.conv2d(waves, (self.weight / math.sqrt(len(self.weight)))[:, :, None, None])


class FilteredConvolution(ModulatedConvolution):
    """One layer: modulated convolution, then the nonlinearity at a finer rate: (N, C_in, S_in, S_in) → (N, C_out, S, S).

    magnitude_ema is the mean square of the input in training; dividing it out keeps activations near one.
    """

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, layer: Layer, config: StyleGan3Config) -> None:
        super().__init__(layer.in_channels, layer.out_channels, layer.kernel, config.w_dim, demodulate=not layer.is_rgb)
        self.layer, self.clamp = layer, config.conv_clamp
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("up_filter", None if layer.up_taps == 1 else torch.zeros(layer.up_taps))
        down = None if layer.down_taps == 1 else torch.zeros([layer.down_taps] * (2 if layer.radial else 1))
        self.register_buffer("down_filter", down)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        layer = self.layer
        scale_in, scale_out = self.styles(w)
        scale_out = scale_out * torch.rsqrt(self.magnitude_ema)
        x = x.to(self.weight.dtype) * scale_in.to(self.weight.dtype)
        x = F.conv2d(x, self.weight, padding=layer.kernel - 1)
        x = x * scale_out.to(x.dtype) + self.bias[:, None, None]
        return filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            up=layer.up,
            down=layer.down,
            padding=layer.padding,
            gain=1.0 if layer.is_rgb else GAIN,
            slope=1.0 if layer.is_rgb else SLOPE,
            clamp=self.clamp,
        )


class Synthesis(nn.Module):
    """ws (N, num_ws, w_dim) → pictures (N, 3, R, R)."""

    def __init__(self, config: StyleGan3Config) -> None:
        super().__init__()
        first = config.layers[0]
        self.input = FourierInput(first.in_channels, first.in_size, first.in_rate, config.first_cutoff, config.w_dim)
        self.names = [layer.name for layer in config.layers]
        for layer in config.layers:
            setattr(self, layer.name, FilteredConvolution(layer, config))
        self.output_scale = config.output_scale

    def forward(self, ws: Tensor) -> Tensor:
        x: Tensor = self.input(ws[:, 0])
        for i, name in enumerate(self.names):
            x = getattr(self, name)(x, ws[:, i + 1])
        return x.float() * self.output_scale


class StyleGan3(Generator):
    """The whole generator. `mapping(z, c=None)` and `synthesis(ws)` are modules. There is no noise."""

    mapping: Mapping
    synthesis: Synthesis

    def __init__(self, config: StyleGan3Config) -> None:
        super().__init__()
        self.config = config
        self.configuration = config.model_dump_json()
        self.z_dim, self.w_dim, self.resolution = config.z_dim, config.w_dim, config.resolution
        self.num_ws = config.num_layers + 2
        self.mapping = Mapping(config.z_dim, config.c_dim, config.w_dim, config.mapping_layers, config.mapping_learning_rate)
        self.synthesis = Synthesis(config)

    @property
    def w_avg(self) -> Tensor:  # type: ignore[override]  # a buffer elsewhere
        return self.mapping.w_avg

    def features(self, ws: Tensor, resolution: int) -> Tensor:
        """The last layer sampled at `resolution`, its margin cut off."""
        x: Tensor = self.synthesis.input(ws[:, 0])
        for layer in self.config.layers[: self._layer_of(resolution) + 1]:
            x = getattr(self.synthesis, layer.name)(x, ws[:, layer.index + 1])
        margin = (x.shape[2] - resolution) // 2
        return x[:, :, margin : margin + resolution, margin : margin + resolution]

    def rows_read(self, resolution: int) -> int:
        return 2 + self._layer_of(resolution)

    def _layer_of(self, resolution: int) -> int:
        there = [layer.index for layer in self.config.layers[:-1] if layer.out_rate == resolution]
        if not there:
            rates = sorted({layer.out_rate for layer in self.config.layers})
            raise ValueError(f"features of {resolution}² were asked for: there are {rates}")
        return there[-1]

    def to_half_precision(self) -> Self:
        """All layers where activations are clamped; the input's phases, and everything where nothing is clamped, stay float32."""
        if self.config.conv_clamp is not None:
            for name in self.synthesis.names:
                getattr(self.synthesis, name).to_half_precision()
        return self
