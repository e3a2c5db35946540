"""A short way out: 256² pictures from MobileStyleGAN's 128² features, instead of two more blocks and a last Haar step.

The blocks that are skipped see only a few pixels around each point, so three dense 3×3 convolutions cover what they see.
What they would have been told by `ws` (their style factors) sets gain and bias of every channel here, and a colour matrix at
the end. Fitted by `tools/fit_head.py` to the generator's own pictures, shrunk by averaging.
"""

from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import UserError
from models.stylegan.mobile import LEAKY_SLOPE, interleave

FEATURES: Final = 256  # channels of the 128² features
WEIGHTS: Final = Path(__file__).parent / "weights" / "mobile_head_256.safetensors"
STYLES: Final = 736  # style factors of the skipped layers, `MobileStyleGAN.skipped_styles`


class Head(nn.Module):
    """Features (N, 256, 128, 128) and style factors (N, 736) → pictures (N, 3, 256, 256), about -1…1.

    `width` is the number of channels of the hidden layers.
    """

    feature_deviation: Tensor
    style_mean: Tensor
    style_deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(FEATURES, width, 1, bias=False)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.leave = nn.Conv2d(width, 12, 3, padding=1)
        self.skip = nn.Conv2d(FEATURES, 12, 1, bias=False)
        self.sizes = [*[width] * 6, 9, 3]
        self.direct = nn.Linear(STYLES, sum(self.sizes))
        self.hidden = nn.Linear(STYLES, 256)
        self.combined = nn.Linear(256, sum(self.sizes), bias=False)
        self.register_buffer("feature_deviation", torch.ones(FEATURES))
        self.register_buffer("style_mean", torch.zeros(STYLES))
        self.register_buffer("style_deviation", torch.ones(STYLES))

    def forward(self, features: Tensor, styles: Tensor) -> Tensor:
        s = (styles - self.style_mean) / self.style_deviation
        told = (self.direct(s) + self.combined(F.silu(self.hidden(s)))).to(features.dtype)
        *layers, mixing, colour = told.split(self.sizes, dim=1)

        scale = (styles[:, :FEATURES] / self.feature_deviation).to(features.dtype)
        x = features * scale[:, :, None, None]
        corners = self.skip(x)
        for i, layer in enumerate((self.enter, *self.middle)):
            gain, bias = layers[2 * i][:, :, None, None], layers[2 * i + 1][:, :, None, None]
            x = F.leaky_relu(layer(x) * (1 + gain) + bias, LEAKY_SLOPE)
        picture = interleave(corners + self.leave(x))
        mixed = mixing.view(-1, 3, 3) @ picture.flatten(2)
        coloured: Tensor = picture + mixed.view_as(picture) + colour[:, :, None, None]
        return coloured


def load_head(graph_hash: str) -> Head:
    """The head fitted to the generator of that hash, in evaluation mode. Raises UserError for damaged or foreign weights."""
    try:
        with safe_open(WEIGHTS, framework="pt") as file:
            fitted_to = (file.metadata() or {}).get("graph_hash")
        state = load_file(WEIGHTS)
        head = Head(width=state["enter.weight"].shape[0])
        head.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the weights of the 256² head, {WEIGHTS}, can't be read ({reason}); install the program anew") from error
    if fitted_to != graph_hash:
        raise UserError(
            f"the 256² head in {WEIGHTS} was fitted to another generator; draw with --size 512, or run tools.fit_head"
        )
    return head.eval().requires_grad_(False)
