"""Fits the short ways out of MobileStyleGAN (`models/stylegan/head.py`) to the generator's own pictures.

    python -m tools.fit_head 512_from_128 --minutes 60              # draws 1500 faces, fits, writes the weights
    python -m tools.fit_head 512_from_128 --minutes 90              # goes on with that fit until it has had 90 minutes
    python -m tools.fit_head 256_from_64 --minutes 0 --sheet out.png # only measures the weights there are, and shows them

First faces are drawn once into a work folder (`tools/head_pairs.py`); then the head is fitted on random crops. Loss: absolute and
squared difference of pixels; absolute difference of gradients (against blur), of pixels averaged over a 32nd of the side (the eye
sees slow colour errors first), of the two colour differences averaged over a 64th, and of what our own network of faces
(`models/judge/student.py`) makes of both pictures on its first layers: expression and identity hang on few pixels; and FLIP
(`models/judge/flip.py`), which asks how the difference looks. The state of the fit is kept in the work folder once a minute, so
a fit that was stopped goes on.
"""

import argparse
import copy
import math
import os
import pickle
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.descent import cosine_pace, descend, share_kept
from models.errors import UserError, exit_on_user_error
from models.files import cache_folder, written_beside
from models.judge.flip import flip
from models.judge.measure import Detector, Fer, SFace
from models.judge.networks import check_there
from models.judge.student import STAGES, Student, load_student
from models.precision import fast_autocast, fast_precision
from models.stylegan.default import load_default_generator
from models.stylegan.head import DESIGNS, FINE_256, SIDE, UP, Design, Grow, Head, load_head
from models.stylegan.mobile import Block, MobileStyleGAN
from models.stylegan.slow_colour import CELL, REACH, REACH_WITH_REST
from tools.head_pairs import HELD_OUT, Pairs, draw_pairs
from tools.ranges import add_threads, real, whole

CROP: Final = 64  # of the 128 positions that the hidden layers work at
BATCH: Final = 8
LEARNING_RATE: Final = 1.5e-3
PACE: Final = {"direct": 0.3, "combined": 0.1, "hidden": 3.0, "skip": 0.1, "grow": 0.5, "slow_colour": 0.1}  # of the rate
FACE: Final = (40, 32)  # where a crop begins that shows brows, eyes and mouth, y and x
STRANGENESS: Final = 0.4  # its weight in the loss
FLIP: Final = 12.0  # and that of FLIP
ASTRAY: Final = 8  # positions that such a crop is off at most
STUDENT_SIDE: Final = 96  # of a crop, for the student to see faces as large as it learnt them
BLOCKS: Final = sum(count for _, count in STAGES)  # of the student
OPPONENT: Final = ((1.0, -1.0, 0.0), (0.5, 0.5, -1.0))  # red against green, both against blue
AVERAGED: Final = 0.999  # of the weights' average that a step keeps, at most
STEEPEST: Final = 1.0  # length of all gradients together
SECONDS_KEPT: Final = 60  # between two states of the fit on disk


class Material:
    """The faces as a head of one design sees them: features, style factors, pictures of its size."""

    def __init__(self, generator: MobileStyleGAN, pairs: Pairs, design: Design) -> None:
        self.generator, self.pairs, self.design = generator, pairs, design
        parts = [generator.skipped_styles(part, design.features) for part in torch.split(pairs.ws, 100)]
        self.styles: Tensor = torch.cat(parts)  # (N, STYLES)
        self.step = SIDE // design.features  # positions of the hidden layers to one of the features
        # At a crop's inner edges zeros stand for what was cut away; the thinner copy's own edge is in the first square already.
        squares = REACH if self.step == 1 else 1 + REACH_WITH_REST
        self.margin = math.ceil((squares + 0.5) * CELL)  # half a square more is blended between slow colours

    def __len__(self) -> int:
        return len(self.styles)

    def crop(self, index: int, y: int, x: int, size: int) -> tuple[Tensor, Tensor]:
        """Features and picture from the hidden layers' position (y, x) on; all three numbers are multiples of CELL."""
        return self.pairs.crop(
            index, self.design.features, y // self.step, x // self.step, size // self.step, self.design.picture
        )

    def batch(self, head: Head, rng: np.random.RandomState) -> tuple[tuple[Tensor, Tensor, Tensor | None], Tensor, Tensor]:
        """What `head` takes, the targets and what counts of them, from BATCH random faces.

        Half of the crops touch two edges, a quarter shows the face, a quarter is anywhere.
        """
        indices = rng.randint(HELD_OUT, len(self), BATCH)
        scale = self.design.picture // SIDE
        features, targets, noise, counted = [], [], [], torch.zeros(BATCH, 1, scale * CROP, scale * CROP)
        for i, index in enumerate(indices):
            free = (SIDE - CROP) // CELL
            if (lot := rng.rand()) < 0.25:
                y, x = CELL * rng.randint(0, free + 1, 2)
            elif lot < 0.5:
                y, x = FACE + CELL * rng.randint(-(ASTRAY // CELL), ASTRAY // CELL + 1, 2)
            else:
                y, x = CELL * rng.choice((0, free), 2)
            crop = self.crop(index, y, x, CROP)
            features.append(crop[0])
            targets.append(crop[1])
            if head.grow is not None:
                noise.append(head.grow.noise[0, :, y : y + CROP, x : x + CROP])
            rows, columns = (
                slice(0 if start == 0 else scale * self.margin, scale * (CROP if start == SIDE - CROP else CROP - self.margin))
                for start in (y, x)
            )
            counted[i, 0, rows, columns] = 1
        stacked = torch.stack(features).to(fast_precision()).contiguous(memory_format=torch.channels_last)
        return (stacked, self.styles[indices], torch.stack(noise) if noise else None), torch.stack(targets), counted


def first_guess(material: Material) -> Head:
    """A head that starts as the best linear map from what its hidden layers read to pixels (ridge regression), they silent."""
    design, scale = material.design, material.design.picture // SIDE
    torch.manual_seed(0)
    head = Head(design)
    some = range(HELD_OUT, min(HELD_OUT + 100, len(material)))
    if head.grow is not None:
        _thin(head.grow, material, some)
    inputs, targets = [], []
    with torch.no_grad():
        for i in some:
            features, target = material.crop(i, 0, 0, SIDE)
            x, styles = head.scaled(features[None].float(), material.styles[i : i + 1])
            corners = F.pixel_unshuffle(target, scale).view(3, scale**2, SIDE, SIDE).transpose(0, 1).flatten(0, 1)
            inputs.append(x[0, :, 4::8, 4::8].flatten(1).T)
            targets.append(corners[:, 4::8, 4::8].flatten(1).T)
        told = material.styles[HELD_OUT:, -styles.shape[1] :]
        head.style_mean.copy_(told.mean(dim=0))
        head.style_deviation.copy_((told.std(dim=0) + 1e-3) * math.sqrt(told.shape[1]))
        x, y = torch.cat(inputs), torch.cat(targets)
        head.feature_deviation.copy_(x.std(dim=0) + 1e-3)
        x = torch.cat((x / head.feature_deviation, torch.ones(len(x), 1)), dim=1)
        solution = torch.linalg.solve(x.T @ x / len(x) + 1e-3 * torch.eye(x.shape[1]), x.T @ y / len(x))
        for silent in (head.direct.weight, head.direct.bias, head.combined.weight):
            silent.zero_()
        head.hidden.weight.normal_()
        head.enter.weight.normal_(0, 1 / math.sqrt(design.grown))
        head.leave.weight.mul_(0.1 / (scale / 2))
        head.skip.weight.copy_(solution[:-1].T[:, :, None, None])
        assert head.leave.bias is not None
        head.leave.bias.copy_(solution[-1])
        head.slow_colour.begin_as(material.generator, head.feature_deviation, None if head.grow is None else head.grow.kept)
    return head


def _thin(grow: Grow, material: Material, some: range) -> None:
    """Start as the generator's own layers, with those channels that the layer behind them hears loudest."""
    block = material.generator.blocks[4]
    assert isinstance(block, Block)
    whole = Grow(len(block.conv1.pointwise.weight))
    after = block.conv2
    with torch.no_grad():
        for own, its in ((whole.depthwise, block.conv1.depthwise), (whole.pointwise, block.conv1.pointwise)):
            own.load_state_dict(its.state_dict())
        whole.noise.copy_(block.conv1.noise)
        loudness = torch.zeros(len(whole.kept))
        for i in some[:16]:
            styles = material.styles[i : i + 1]
            features = material.crop(i, 0, 0, SIDE)[0][None].float()
            x = whole(features, styles[:, :UP], styles[:, UP : UP + 128], whole.noise)
            loudness += x.std(dim=(0, 2, 3)) * styles[0, UP + 128 : UP + 128 + len(loudness)].abs()
        loudness *= after.depthwise.weight.flatten(1).norm(dim=1) * after.pointwise.weight.flatten(1).norm(dim=0)
        kept = loudness.topk(len(grow.kept)).indices.sort().values
        grow.load_state_dict(
            {
                "noise": whole.noise,
                "kept": kept,
                "depthwise.weight": whole.depthwise.weight,
                "pointwise.weight": whole.pointwise.weight[kept],
                "pointwise.bias": whole.pointwise.bias[kept],  # type: ignore[index]
            }
        )


def deepened(weights: Path, material: Material) -> Head:
    """Weights fitted to a design with fewer layers as the first guess: hidden layers that are new hand on what they get, slow
    colours that are new begin as the generator's own. Raises UserError where the file is damaged or of another kind."""
    try:
        return _took_over(first_guess(material), load_file(weights))
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"a fit can't begin with {weights} ({reason}); leave --shipped out to begin anew") from error


def _took_over(head: Head, fitted: dict[str, Tensor]) -> Head:
    """`head` with the weights `fitted` to one of as many hidden layers or fewer: those that are new hand on what they get."""
    state, last = head.state_dict(), sum(head.sizes[-2:])  # numbers that set the colours, after those of the hidden layers
    for name in ("direct.weight", "direct.bias", "combined.weight"):
        told = fitted.pop(name)
        state[name][: len(told) - last] = told[:-last]
        state[name][len(told) - last : -last] = 0
        state[name][-last:] = told[-last:]
    for i in range(len(head.middle)):
        if f"middle.{i}.weight" not in fitted:
            nn.init.dirac_(state[f"middle.{i}.weight"])
    head.load_state_dict(state | fitted)
    return head


def widened(fine: Head, design: Design) -> Head:
    """The 256² head as the first guess of one that reads the same features and draws 512²: every pixel four times, if it has no
    more layers."""
    state = fine.state_dict()
    for name in ("leave.weight", "leave.bias", "skip.weight"):
        corners = state[name].view(2, 1, 2, 1, 3, *state[name].shape[1:])
        state[name] = corners.expand(2, 2, 2, 2, *corners.shape[4:]).flatten(0, 4)
    return _took_over(Head(design), state)


def loss_of(drawn: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """See the module's docstring; `counted` (N, 1, H, W) is 1 where a pixel counts."""
    difference = (drawn - target) * counted
    pixels = (difference.square() + 1e-4).sqrt().mean() + 4 * difference.square().mean()
    slow = F.avg_pool2d(difference, drawn.shape[2] // 16).abs().mean()
    gradients = difference.diff(dim=3).abs().mean() + difference.diff(dim=2).abs().mean()
    opponents = torch.einsum("oc,nchw->nohw", torch.tensor(OPPONENT), difference)
    colour = F.avg_pool2d(opponents, drawn.shape[2] // 32).abs().mean()
    seen = (flip(torch.where(counted > 0, drawn, target), target) * counted).mean()
    loss: Tensor = (pixels + 2 * slow + 0.5 * gradients + colour + FLIP * seen) / counted.mean()
    return loss


def strangeness(student: Student, drawn: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """How differently the student's first layers answer, of how loudly they answer to `target`; 0 for equal pictures."""

    def layers(pictures: Tensor) -> list[Tensor]:
        small = F.interpolate(pictures * counted, size=STUDENT_SIDE, mode="bilinear", antialias=True)
        answers = [student.stem(small * 2)]  # the student takes 0…1, less 0.5, times 4
        for layer in list(student.body)[:BLOCKS]:
            answers.append(layer(answers[-1]))
        return answers

    with torch.no_grad():
        expected = layers(target)
    pairs = zip(layers(drawn), expected, strict=True)
    shares = [(a - b).float().abs().mean() / b.float().abs().mean() for a, b in pairs]
    return torch.stack(shares).mean()


class Fit:
    """A fit under way: the head, the running average of its weights, and how far it has come."""

    def __init__(self, head: Head) -> None:
        self.head: Head = head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: Head = copy.deepcopy(self.head).requires_grad_(False)
        groups = [{"params": [p], "pace": PACE.get(name.split(".")[0], 1.0)} for name, p in self.head.named_parameters()]
        self.optimiser = torch.optim.Adam(groups, lr=LEARNING_RATE, betas=(0.9, 0.98))
        self.student = load_student().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.steps = 0
        self.seconds = 0.0
        self.curve: list[tuple[int, float, float]] = []  # crops seen, PSNR and FLIP on some held-out faces

    def state_dict(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("head", "average", "optimiser")}
        return parts | {"steps": self.steps, "seconds": self.seconds, "curve": self.curve}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("head", "average", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.steps, self.seconds, self.curve = state["steps"], state["seconds"], state["curve"]

    def run(self, material: Material, minutes: float, kept: Path | None = None) -> Head:
        """Adam, in bfloat16 where a processor has it, until `minutes` in all are over, with a cosine pace.

        Returns the running average of the weights.

        With `kept` the state is written there once a minute and at the end.
        """
        rng = np.random.RandomState(self.steps + 1)
        begun, saved = time.monotonic() - self.seconds, self.seconds
        while (share := self.seconds / (60 * minutes)) < 1:
            self._step(material, share, rng)
            self.seconds = time.monotonic() - begun
            if self.steps % 250 == 0:
                self.curve.append((self.steps * BATCH, *likeness(self.average, material, range(0, HELD_OUT, 8))))
                decibels, looks = self.curve[-1][1:]
                print(f"{self.steps} steps, {100 * share:.0f} %: PSNR {decibels:.2f} dB, FLIP {looks:.4f}", flush=True)
            if kept and (self.seconds - saved > SECONDS_KEPT or self.seconds >= 60 * minutes):
                saved = self.seconds
                with written_beside(kept) as beside:
                    torch.save(self.state_dict(), beside)
        return self.average

    def _step(self, material: Material, share: float, rng: np.random.RandomState) -> None:
        pace = LEARNING_RATE * min(1, (self.steps + 1) / 100) * cosine_pace(share, 0.01)
        for group in self.optimiser.param_groups:
            group["lr"] = pace * group["pace"]
        seen, target, counted = material.batch(self.head, rng)
        with fast_autocast():
            drawn = self.head(*seen)
            strange = strangeness(self.student, drawn.float(), target, counted)
        loss = loss_of(drawn.float(), target, counted) + STRANGENESS * strange
        descend(loss, self.head, self.optimiser, self.average, share_kept(self.steps, AVERAGED), STEEPEST)
        self.steps += 1


@torch.inference_mode()
def draw(head: Head, material: Material, index: int) -> tuple[Tensor, Tensor]:
    """Picture of the head and of the generator (3, H, W), clamped to -1…1."""
    features, target = material.crop(index, 0, 0, SIDE)
    return head(features[None].float(), material.styles[index : index + 1])[0].clamp(-1, 1), target.clamp(-1, 1)


def psnr(drawn: Tensor, target: Tensor) -> float:
    """In dB, of pictures between -1 and 1."""
    return 10 * math.log10(4 / (drawn - target).square().mean().item())


def likeness(head: Head, material: Material, indices: range) -> tuple[float, float]:
    """Means over the faces `indices`: PSNR in dB, and FLIP."""
    pairs = [draw(head, material, i) for i in indices]
    looks = [flip(drawn[None], target[None]).mean().item() for drawn, target in pairs]
    return float(np.mean([psnr(*pair) for pair in pairs])), float(np.mean(looks))


def measure(head: Head, material: Material, indices: range) -> str:
    """PSNR against the shrunk 1024² picture, and the mean error left after averaging over a 16th of a side, in levels of 255."""
    figures: dict[str, list[float]] = {"plain": [], "edited": []}
    slow = []
    for i in indices:
        drawn, target = draw(head, material, i)
        figures["plain" if i < HELD_OUT // 2 else "edited"].append(psnr(drawn, target))
        slow.append(127.5 * F.avg_pool2d(drawn - target, drawn.shape[1] // 16).abs().mean().item())
    worst = min(figures["plain"] + figures["edited"])
    means = ", ".join(f"{name} {np.mean(values):.2f} dB" for name, values in figures.items())
    return f"PSNR {means}, worst {worst:.2f} dB; slow colour error {np.mean(slow):.2f} of 255"


def noticed(head: Head, material: Material, networks: Path) -> str:
    """Whether networks notice the difference: SFace's cosine of identity, and how often fer's verdict stays. Raises UserError."""
    check_there(networks, "yunet", "sface", "fer")
    detector, identity, expression = Detector(networks), SFace(networks), Fer(networks)
    cosines, same = [], []
    for i in range(HELD_OUT):
        drawn, target = (((p + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy() for p in draw(head, material, i))
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


def save_sheet(head: Head, material: Material, path: Path) -> None:
    """Eight held-out faces side by side: the generator's picture left, the head's right."""
    rows = []
    for i in range(0, HELD_OUT, HELD_OUT // 8):
        drawn, target = draw(head, material, i)
        both = torch.cat((target, drawn), dim=2)
        rows.append(((both + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()[:, :, ::-1])
    sheet = np.vstack([np.hstack(rows[i : i + 2]) for i in range(0, len(rows), 2)])
    if not cv2.imwrite(str(path), sheet):
        raise UserError(f"the sheet can't be written to {path}; name a .png in a folder that exists")


def resumed(material: Material, kept: Path, *, shipped: bool = False) -> Fit:
    """The fit whose state lies in `kept`, or a new one, from the `shipped` weights if so wanted. Raises UserError."""
    design = material.design
    if kept.exists():
        fit = Fit(Head(design))
        try:
            fit.load_state_dict(torch.load(kept, weights_only=True))
        except (OSError, EOFError, pickle.UnpicklingError, RuntimeError, KeyError, ValueError) as error:
            reason = type(error).__name__  # torch's own words advise to trust the file
            raise UserError(f"the fit in {kept} can't go on ({reason}); delete that file to begin anew") from error
        return fit
    if shipped:
        return Fit(deepened(design.weights, material))
    if design.features == FINE_256.features and design.picture > FINE_256.picture:
        return Fit(widened(load_head(FINE_256, material.generator.graph_hash).requires_grad_(True).train(), design))
    return Fit(first_guess(material))


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("head", choices=list(DESIGNS), help="which head: side of its pictures, and of the features it reads")
    parser.add_argument(
        "--minutes", type=real("--minutes", 0, 1e6), default=60, help="how long to fit in all; 0 only measures (default 60)"
    )
    parser.add_argument(
        "--shipped",
        action="store_true",
        help="a new fit begins with the weights there are, and layers that they lack; not with a guess",
    )
    parser.add_argument(
        "--faces", type=whole("--faces", HELD_OUT + BATCH + 1), default=1500, help="how many faces to draw (default 1500)"
    )
    add_threads(parser, os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, help="folder for the drawn faces (default in the user's cache)")
    parser.add_argument("--networks", type=Path, help="folder of the judging networks: also ask them whether they notice")
    parser.add_argument("--sheet", type=Path, help="also write held-out faces side by side to this .png")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    design = DESIGNS[args.head]
    work = args.work or cache_folder("head")
    generator = load_default_generator()
    material = Material(generator, draw_pairs(generator, args.faces, work), design)
    if args.minutes:
        kept = work / f"fit_{design.name}.pt"
        head = resumed(material, kept, shipped=args.shipped).run(material, args.minutes, kept)
        head.write(design.weights, generator.graph_hash)
    head = load_head(design, generator.graph_hash)
    print(measure(head, material, range(HELD_OUT)))
    if args.networks:
        print(noticed(head, material, args.networks))
    if args.sheet:
        save_sheet(head, material, args.sheet)


if __name__ == "__main__":
    raise SystemExit(main())
