"""The last step of drawing inside the graph: finished bytes come out, so every engine hands over a picture, not numbers."""

import copy
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.stylegan.head import load_head
from models.stylegan.mobile import MobileStyleGAN

SIZES: Final = (256, 512, 1024)


class Pixels(nn.Module):
    """ws (1, num_ws, 512) float32 → picture (size, size, 3) uint8, RGB.

    256² is drawn by the fitted head on the 128² features, 512² and 1024² by the whole generator (512² is its 1024² picture
    shrunk by averaging, exactly). Raises UserError for another size and for damaged head weights.
    """

    def __init__(self, generator: MobileStyleGAN, size: int) -> None:
        super().__init__()
        if size not in SIZES:
            raise UserError(f"a picture {size} pixels wide was asked for; choose one of {', '.join(map(str, SIZES))}")
        self.size = size
        self.generator = generator
        self.head = load_head(generator.graph_hash) if size == 256 else None

    def in_half_precision(self) -> "Pixels":
        """A copy that computes in float16, for GPUs; ws stays float32. Values stay below a tenth of its range."""
        return copy.deepcopy(self).half()

    def forward(self, ws: Tensor) -> Tensor:
        generator = self.generator
        ws = ws.to(generator.w_avg.dtype)
        if self.head is not None:
            picture: Tensor = self.head(generator.features(ws, 128), generator.skipped_styles(ws))
        else:
            picture = generator.synthesis(ws, self.size)
        # -1…1 → 0…255 as NVIDIA's scripts do it; the half is the rounding, since the conversion to bytes cuts.
        grey = (picture.float() * 127.5 + 128).clamp(0, 255)
        return grey[0].permute(1, 2, 0).to(torch.uint8)
