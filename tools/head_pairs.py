"""Faces for fitting heads (`tools/fit_head.py`): what the generator hands on at 64² and 128², and the picture it makes.

Drawn once into a work folder, about 14 MB a face; drawing goes on where it was stopped.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import UserError
from models.openvino_core import openvino_core
from models.stylegan.mobile import BLOCK_CHANNELS, MobileStyleGAN

HELD_OUT: Final = 96  # faces never trained on: half of them plain (truncation 0.7), half with an edit
EDITED_ROWS: Final = slice(1, 13)
SIDES: Final = {64: BLOCK_CHANNELS[3], 128: BLOCK_CHANNELS[4]}  # of the features that are kept, and their channels
PICTURE: Final = 512  # side of the pictures that are kept


def sample_ws(generator: MobileStyleGAN, index: int) -> Tensor:
    """The `index`-th face, always the same: ws (1, num_ws, 512).

    Half at truncation 0.7, half between 0.5 and 1. Two thirds have rows 1…12 moved as an expression would: by 5 to 25 % of a
    code's length, along one direction for all rows, or one for each, or between. One in eight is mixed of two faces.
    """
    rng = torch.Generator().manual_seed(index)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=rng).item()

    held_out = index < HELD_OUT
    codes = generator.mapping(torch.randn(4, generator.z_dim, generator=rng))
    psi = 0.7 if held_out or uniform(0, 1) < 0.5 else uniform(0.5, 1.0)
    ws = generator.broadcast(generator.truncate(codes[:1], psi)).clone()
    edited = index >= HELD_OUT // 2 if held_out else uniform(0, 1) < 0.65
    if not held_out and uniform(0, 1) < 0.12:
        ws[:, int(uniform(1, generator.num_ws - 1)) :] = generator.truncate(codes[1:2], psi)[:, None]
    if edited:
        length = (codes - generator.w_avg).norm(dim=1).mean() * uniform(0.05, 0.25)
        one = F.normalize(codes[2:3] - codes[3:4])
        first, second = (generator.mapping(torch.randn(12, generator.z_dim, generator=rng)) for _ in range(2))
        share = uniform(0, 1)
        direction = F.normalize(share * one + (1 - share) * F.normalize(first - second))
        ws[:, EDITED_ROWS] += direction * length * (0.5 + torch.rand(12, 1, generator=rng))
    return ws


class FeaturesAndPicture(nn.Module):
    """ws → features (64, 64, 512) and (128, 128, 256), picture (512, 512, 3), all channels last."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, ws: Tensor) -> tuple[Tensor, ...]:
        generator = self.generator
        coarse = generator.features(ws, 64)
        fine = generator.blocks[4](coarse, ws[:, 13:16])
        x = generator.blocks[6](generator.blocks[5](fine, ws[:, 16:19]), ws[:, 19:22])
        picture = generator.rgb(x, ws[:, 22])[:, :3] * 0.5  # see MobileStyleGAN.synthesis
        return tuple(x[0].permute(1, 2, 0) for x in (coarse, fine, picture))


class Pairs(NamedTuple):
    """All faces: ws in memory, features (bfloat16) and pictures on disk."""

    ws: Tensor  # (N, num_ws, 512)
    features: dict[int, NDArray[np.int16]]  # side: (N, side, side, channels), the bits of bfloat16
    pictures: NDArray[np.float16]  # (N, 512, 512, 3)

    def crop(self, index: int, side: int, y: int, x: int, size: int, picture: int) -> tuple[Tensor, Tensor]:
        """What is at (y, x) of the features of `side`, `size` positions wide, and the same place of the picture `picture` wide.

        Features (C, size, size) bfloat16, and (3, ·, ·) float32, shrunk by averaging.
        """
        features = torch.from_numpy(self.features[side][index, y : y + size, x : x + size].copy()).view(torch.bfloat16)
        scale = PICTURE // side
        place = self.pictures[index, scale * y : scale * (y + size), scale * x : scale * (x + size)]
        target = torch.from_numpy(place.astype(np.float32)).permute(2, 0, 1)
        return features.permute(2, 0, 1), F.avg_pool2d(target, PICTURE // picture)


def draw_pairs(generator: MobileStyleGAN, count: int, work: Path) -> Pairs:
    """Draw what is still missing of `count` faces into `work`. Raises UserError where that can't be written."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        features = {
            side: _array_file(work / f"features_{side}.npy", (count, side, side, channels), np.int16)
            for side, channels in SIDES.items()
        }
        pictures = _array_file(work / "pictures.npy", (count, PICTURE, PICTURE, 3), np.float16)
    except (OSError, ValueError) as error:
        raise UserError(f"the faces can't be kept in {work} ({error}); name an empty folder with --work") from error
    ws = torch.cat([sample_ws(generator, i) for i in range(count)])
    missing = [i for i in range(count) if not pictures[i].any()]
    if missing:
        model = openvino.convert_model(torch.export.export(FeaturesAndPicture(generator).eval(), (ws[:1],)))
        draw = openvino_core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()})
        for done, i in enumerate(missing):
            *drawn, picture = draw(ws[i : i + 1].numpy()).values()
            for kept, new in zip(features.values(), drawn, strict=True):
                kept[i] = torch.from_numpy(new).to(torch.bfloat16).view(torch.int16).numpy()
            pictures[i] = picture  # last: a face without its picture counts as missing
            if done % 100 == 0:
                print(f"drew {i + 1} of {count} faces", flush=True)
    return Pairs(ws, features, pictures)


def _array_file(path: Path, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
    if path.exists():
        array: NDArray[Any] = np.load(path, mmap_mode="r+")
        if array.shape == shape and array.dtype == kind:
            return array
        raise ValueError(f"{path.name} holds {array.shape}, not {shape}")
    return np.lib.format.open_memmap(path, "w+", kind, shape)
