"""What StyleGAN2 and StyleGAN3 have in common: equalised learning rates, the mapping network, modulated convolutions.

Names of tensors are those of the official checkpoints, so that a converted file can be compared with its source.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE: Final = 0.2
MOST_CLASSES: Final = 100_000  # of a conditional generator
GAIN: Final = math.sqrt(2)  # keeps the variance through a leaky ReLU


class Linear(nn.Module):
    """Fully connected with an equalised learning rate (Karras et al. 2018): weights are stored near N(0, 1) and scaled here."""

    def __init__(self, in_features: int, out_features: int, learning_rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.weight_gain, self.bias_gain = learning_rate / math.sqrt(in_features), learning_rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


def of_unit_energy(x: Tensor) -> Tensor:
    """(N, C) scaled so that the mean square of each row is 1."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class Mapping(nn.Module):
    """z (N, z_dim) ~ N(0, 1), and one-hot labels c (N, c_dim) of a conditional generator → w (N, w_dim)."""

    w_avg: Tensor
    label: Tensor

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int, learning_rate: float) -> None:
        super().__init__()
        self.layers = layers
        if c_dim:
            self.embed = Linear(c_dim, w_dim)
            self.register_buffer("label", torch.zeros(c_dim), persistent=False)
        for i in range(layers):
            setattr(self, f"fc{i}", Linear((z_dim + (w_dim if c_dim else 0)) if i == 0 else w_dim, w_dim, learning_rate))
        self.register_buffer("w_avg", torch.zeros(w_dim))
        self.conditional = c_dim > 0

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Without `c` the generator's own `label` is taken."""
        x = of_unit_energy(z)
        if self.conditional:
            label = self.label.expand(len(z), -1) if c is None else c
            x = torch.cat([x, of_unit_energy(self.embed(label))], dim=1)
        for i in range(self.layers):
            x = F.leaky_relu(getattr(self, f"fc{i}")(x), SLOPE) * GAIN
        return x


class ModulatedConvolution(nn.Module):
    """A convolution whose weights are scaled per input channel by the style and, demodulated, brought back to unit energy.

    Karras et al. 2020 (StyleGAN2), section 2.2, in the order that keeps the weights constant: scale the input, convolve, scale
    the output. So every engine sees an ordinary convolution. Demodulated styles are divided by their largest value first, which
    demodulation takes out again: nothing changes in float32, and float16 stays in range.
    """

    energy: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, w_dim: int, *, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.affine = Linear(w_dim, in_channels)
        self.demodulate = demodulate
        self.register_buffer("energy", torch.zeros(out_channels, in_channels), persistent=False)
        self.register_load_state_dict_post_hook(lambda module, _: module.measure())  # type: ignore[no-untyped-call]

    def measure(self) -> None:
        """Recompute what follows from the weights alone: their energy (C_out, C_in), summed over the kernel."""
        self.energy = self.weight.detach().square().sum(dim=(2, 3))

    def styles(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """w (N, w_dim) → factors of the input (N, C_in, 1, 1), at most 1, and of the output (N, C_out or 1, 1, 1)."""
        styles = self.affine(w)
        if not self.demodulate:
            return styles[:, :, None, None] / math.sqrt(self.weight[0].numel()), styles.new_ones(len(w), 1, 1, 1)
        largest = styles.abs().amax(dim=1, keepdim=True).clamp(min=1e-20)
        styles = styles / largest
        factors = torch.rsqrt(styles.square() @ self.energy.T + 1e-8 / largest.square())
        return styles[:, :, None, None], factors[:, :, None, None]

    def to_half_precision(self) -> None:
        """Weights in float16, scaled to unit energy per output channel; what the styles are computed with stays float32."""
        if self.demodulate:
            norm = self.energy.sum(dim=1).clamp(min=1e-20)
            self.weight.data /= norm.sqrt()[:, None, None, None]
            self.energy = self.energy / norm[:, None]
        self.weight.data = self.weight.data.half()
        self.bias.data = self.bias.data.half()
