"""StyleGAN2 and StyleGAN3 in full size without a checkpoint, their weights random: to measure how fast they draw."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from models.stylegan.checkpoint import BLUR, Config, build, shapes
from models.stylegan.stylegan2 import StyleGan2, StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config

RESOLUTION: Final = 1024
_SIZES: Final = {"resolution": RESOLUTION, "z_dim": 512, "w_dim": 512}
_RADIAL: Final = {"channel_base": 65536, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True}
_CHANNELS: Final = [512, 512, 512, 512, 512, 256, 128, 64, 32]
CONFIGS: Final[Mapping[str, Config]] = {
    "config-f": StyleGan2Config.model_validate({**_SIZES, "mapping_layers": 8, "channels": _CHANNELS, "conv_clamp": 256.0}),
    "stylegan3-t": StyleGan3Config.model_validate({**_SIZES, "mapping_layers": 2}),
    "stylegan3-r": StyleGan3Config.model_validate({**_SIZES, "mapping_layers": 2, **_RADIAL}),
}
"""As they were published for 1024²."""


def random_generator(config: Config) -> StyleGan2 | StyleGan3:
    """The network as its training starts, always the same; StyleGAN3's filters are about those that NVIDIA's code designs."""
    some = torch.Generator().manual_seed(0)
    return build(config, {name: _start(name, shape, config, some) for name, shape in shapes(config).items()})


def _start(name: str, shape: tuple[int, ...], config: Config, some: torch.Generator) -> Tensor:
    last = name.rpartition(".")[2]
    if last.endswith("_filter"):
        return _filter(shape, config)
    if last == "transform":
        return torch.eye(3)
    if last == "magnitude_ema" or name.endswith("affine.bias"):
        return torch.ones(shape)
    if last in ("bias", "w_avg"):
        return torch.zeros(shape)
    rate = config.mapping_learning_rate if name.startswith("mapping.") else 1.0
    return torch.randn(shape, generator=some) / rate


def _filter(shape: tuple[int, ...], config: Config) -> Tensor:
    """Low pass, sums to 1."""
    taps = shape[0]
    if isinstance(config, StyleGan3Config):
        place = (torch.arange(taps) - (taps - 1) / 2) * config.filter_size / taps  # in samples of the coarser side
        line = torch.sinc(place) * torch.hann_window(taps + 2, periodic=False)[1:-1]
    else:
        line = BLUR
    kernel = line if len(shape) == 1 else line.outer(line)
    return kernel / kernel.sum()
