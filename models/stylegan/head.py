"""Short ways out of MobileStyleGAN: smaller pictures from the features of an early layer, instead of all the layers behind it.

The layers that are skipped see only a few pixels around each point, so a few dense 3×3 convolutions cover what they see. What
they would have been told by `ws` (their style factors) sets gain and bias of every channel here, and a colour matrix at the
end; then slow colours are put right (`slow_colour.py`). A head that starts at 64² first goes through a thinner copy of the next
block's beginning. Fitted by `tools/fit_head.py` to the generator's own pictures, shrunk by averaging.
"""

from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import UserError
from models.files import written_beside
from models.stylegan.mobile import BLOCK_CHANNELS, HAAR_CHANNELS, LEAKY_SLOPE, haar_synthesis, interleave
from models.stylegan.slow_colour import SlowColour

WEIGHTS: Final = Path(__file__).parent / "weights"
SIDE: Final = 128  # that the hidden layers work at
UP: Final = BLOCK_CHANNELS[3]  # channels of the 64² features
HAAR: Final = HAAR_CHANNELS[4]  # and after the Haar step to 128²
STYLES: Final = {64: 1632, 128: 736}  # style factors of the layers behind these features, `MobileStyleGAN.skipped_styles`


class Design(NamedTuple):
    """What a head reads, draws and is made of."""

    features: int  # side of the features that it reads, 64 or 128
    picture: int  # side of the pictures that it draws, 256 or 512
    grown: int  # channels that the thinner copy hands on; without one (128² features) their own 256
    width: int  # channels of the hidden layers
    depth: int  # 3×3 convolutions between the first layer and the last

    @property
    def name(self) -> str:
        """As in the names of files: "256_from_64"."""
        return f"{self.picture}_from_{self.features}"

    @property
    def weights(self) -> Path:
        return WEIGHTS / f"mobile_head_{self.name}.safetensors"


FAST_256: Final = Design(features=64, picture=256, grown=192, width=64, depth=2)
FINE_256: Final = Design(features=128, picture=256, grown=BLOCK_CHANNELS[4], width=80, depth=2)
FINE_512: Final = Design(features=128, picture=512, grown=BLOCK_CHANNELS[4], width=80, depth=4)
DESIGNS: Final = {design.name: design for design in (FAST_256, FINE_256, FINE_512)}


class Grow(nn.Module):
    """The 128² block's Haar step and first convolution, with fewer channels: (N, 512, 64, 64) → (N, `channels`, 128, 128).

    `kept` are the channels of the whole block that this one stands for.
    """

    noise: Tensor
    kept: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(HAAR, HAAR, 3, padding=1, groups=HAAR, bias=False)
        self.pointwise = nn.Conv2d(HAAR, channels, 1)
        self.register_buffer("noise", torch.zeros(1, 1, SIDE, SIDE))
        self.register_buffer("kept", torch.arange(channels))

    def forward(self, features: Tensor, up: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Style factors `up` (N, 512) and `style` (N, 128); `noise` (1 or N, 1, 2H, 2W)."""
        x = haar_synthesis(features * up[:, :, None, None])
        x = self.pointwise(self.depthwise(x * style[:, :, None, None]))
        return F.leaky_relu(x + noise.to(x.dtype), LEAKY_SLOPE)


class Head(nn.Module):
    """Features (N, C, R, R) and style factors (N, `STYLES[R]`) → pictures (N, 3, `picture`, `picture`), about -1…1."""

    feature_deviation: Tensor
    style_mean: Tensor
    style_deviation: Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        channels, width = design.grown, design.width
        self.pixels = 3 * (design.picture // SIDE) ** 2
        self.grow = Grow(channels) if design.features < SIDE else None
        told = STYLES[design.features] - (UP + HAAR if self.grow else 0)
        self.enter = nn.Conv2d(channels, width, 1, bias=False)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(design.depth))
        self.leave = nn.Conv2d(width, self.pixels, 3, padding=1)
        self.skip = nn.Conv2d(channels, self.pixels, 1, bias=False)
        self.sizes = [*[width] * 2 * (1 + design.depth), 9, 3]
        self.direct = nn.Linear(told, sum(self.sizes))
        self.hidden = nn.Linear(told, 256)
        self.combined = nn.Linear(256, sum(self.sizes), bias=False)
        self.slow_colour = SlowColour(channels, rest=self.grow is not None, picture=design.picture)
        self.register_buffer("feature_deviation", torch.ones(channels))
        self.register_buffer("style_mean", torch.zeros(told))
        self.register_buffer("style_deviation", torch.ones(told))

    def scaled(self, features: Tensor, styles: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the hidden layers read, (N, `grown`, 128, 128), and the style factors that they are told."""
        kind = features.dtype
        x, scale = features, styles[:, : self.design.grown]
        if self.grow is not None:
            up, style, styles = styles[:, :UP], styles[:, UP : UP + HAAR], styles[:, UP + HAAR :]
            x = self.grow(features, up.to(kind), style.to(kind), self.grow.noise if noise is None else noise)
            scale = styles[:, self.grow.kept]
        return x * (scale / self.feature_deviation).to(kind)[:, :, None, None], styles

    def forward(self, features: Tensor, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        """`noise` replaces the noise plane of the thinner copy, for pictures that are only a part of the whole."""
        x, styles = self.scaled(features, styles, noise)
        picture: Tensor = self.slow_colour(x, styles, self.sketch(x, styles))
        return picture

    def sketch(self, x: Tensor, styles: Tensor) -> Tensor:
        """What the hidden layers draw of `scaled`: the picture (N, 3, `picture`, `picture`) before its slow colours are right."""
        s = (styles - self.style_mean) / self.style_deviation
        told = (self.direct(s) + self.combined(F.silu(self.hidden(s)))).to(x.dtype)
        *layers, mixing, colour = torch.split(told, self.sizes, dim=1)

        corners = self.skip(x)
        for i, layer in enumerate((self.enter, *self.middle)):
            gain, bias = layers[2 * i][:, :, None, None], layers[2 * i + 1][:, :, None, None]
            x = F.leaky_relu(layer(x) * (1 + gain) + bias, LEAKY_SLOPE)
        picture = interleave(corners + self.leave(x), self.design.picture // SIDE)
        mixed = mixing.view(-1, 3, 3) @ picture.flatten(2)
        coloured: Tensor = picture + mixed.view_as(picture) + colour[:, :, None, None]
        return coloured

    def write(self, path: Path, graph_hash: str) -> None:
        """The weights, with the hash of the generator that they are fitted to. Raises UserError where they can't be written."""
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        with written_beside(path) as beside:
            save_file(state, beside, metadata={"graph_hash": graph_hash})


def load_head(design: Design, graph_hash: str) -> Head:
    """The head fitted to the generator of that hash, in evaluation mode. Raises UserError for damaged or foreign weights."""
    path = design.weights
    try:
        with safe_open(path, framework="pt") as file:
            fitted_to = (file.metadata() or {}).get("graph_hash")
        head = Head(design)
        head.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the weights of the {design.picture}² head, {path}, can't be read ({reason}); install the program anew"
        ) from error
    if fitted_to != graph_hash:
        raise UserError(f"the head in {path} was fitted to another generator; draw with --quality full, or run tools.fit_head")
    return head.eval().requires_grad_(False)
