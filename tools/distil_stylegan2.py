"""Make a small StyleGAN2 that draws the default generator's faces: `python -m tools.distil_stylegan2 --minutes 60 --out DIR`.

For trying what `--generator` does with a generator of faces that is not the default one: 128², a tenth of config F's weights. It
has the default generator's mapping; its synthesis learns the default one's pictures, shrunk, of faces as they come, of mixed ones
and of predicted expressions. It is fuzzy, and a measure of nothing but our own code.
"""

import argparse
import copy
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.backend import Backend
from engine.choose import open_backend
from models.errors import exit_on_user_error
from models.expression.bank import load_predictor
from models.expression.goals import EMOTION_GOALS
from models.expression.predictor import NEUTRAL_STEP, PREDICTED
from models.stylegan.converted import save_generator
from models.stylegan.default import load_default_generator
from models.stylegan.layers import Linear, ModulatedConvolution
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.stylegan2 import StyleGan2, StyleGan2Config
from tools.descent import cosine_pace, descend, share_kept

CHANNELS: Final = (256, 256, 256, 128, 64, 32)  # of 4², 8² … 128²
SIDE: Final = 4 << (len(CHANNELS) - 1)
MAPPING_RATE: Final = 0.01
RATE: Final = 2e-3
BATCH: Final = 8
FACES: Final = 12000  # that are drawn; then they come again
FIRST_FACES: Final = 800  # before the first step
FACES_A_STEP: Final = 2


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    teacher = load_default_generator()
    student = untrained(teacher)
    faces = Faces(teacher)
    average = fit(student, faces, 60 * options.minutes)
    save_generator(options.out, average.config, average.state_dict(), "tools/distil_stylegan2.py")
    print(f"written to {options.out}")


def untrained(teacher: MobileStyleGAN) -> StyleGan2:
    """The teacher's mapping, and a synthesis with the official initial weights."""
    config = StyleGan2Config(
        resolution=SIDE,
        c_dim=0,
        z_dim=teacher.z_dim,
        w_dim=teacher.w_dim,
        mapping_layers=len(teacher.layers),
        mapping_learning_rate=MAPPING_RATE,
        channels=list(CHANNELS),
        conv_clamp=None,
        label=None,
    )
    student = StyleGan2(config)
    for name, parameter in student.synthesis.named_parameters():
        if name.endswith("affine.bias"):
            nn.init.ones_(parameter)
        elif name.endswith(("weight", "const")):
            nn.init.normal_(parameter)
    smooth = torch.tensor([1.0, 3.0, 3.0, 1.0])
    for name, buffer in student.synthesis.named_buffers():
        if name.endswith("resample_filter"):
            buffer.copy_(smooth[:, None] * smooth / 64)
        elif name.endswith("noise_const"):
            buffer.normal_()
    with torch.no_grad():
        for number, layer in enumerate(teacher.layers):
            assert isinstance(layer, nn.Linear)
            own = getattr(student.mapping, f"fc{number}")
            assert isinstance(own, Linear)
            own.weight.copy_(layer.weight / own.weight_gain)
            own.bias.copy_(layer.bias / own.bias_gain)
        student.mapping.w_avg.copy_(teacher.w_avg)
    student.mapping.requires_grad_(False)
    return student


def rows_of(ws: Tensor) -> Tensor:
    """The teacher's codes (n, 23, 512) as the student's (n, num_ws, 512), block by block: three rows become two."""
    blocks = ws[:, 1 : 1 + 3 * (len(CHANNELS) - 1)].view(len(ws), -1, 3, ws.shape[2])
    pairs = torch.stack([blocks[:, :, :2].mean(2), blocks[:, :, 2]], 2).flatten(1, 2)
    return torch.cat([ws[:, :1], pairs, ws[:, 3 * len(CHANNELS) - 2 :][:, :1]], 1)


class Faces:
    """Codes and pictures, drawn by and by."""

    def __init__(self, teacher: MobileStyleGAN) -> None:
        self._teacher, self._predictor = teacher, load_predictor(teacher.graph_hash)
        self._backend: Backend = open_backend(teacher, 2 * SIDE, quality="fast")
        self._random = np.random.RandomState(0)
        self._ws: list[Tensor] = []
        self._pictures: list[Tensor] = []
        self.draw(FIRST_FACES)

    def __len__(self) -> int:
        return len(self._ws)

    def draw(self, count: int) -> None:
        """That many more, up to `FACES`."""
        for _ in range(min(count, FACES - len(self))):
            ws = self._code()
            picture = torch.from_numpy(self._backend.render(ws.numpy())).permute(2, 0, 1)[None]
            self._pictures.append(F.avg_pool2d(picture.float(), 2).round().byte())
            self._ws.append(rows_of(ws))

    def batch(self) -> tuple[Tensor, Tensor]:
        """ws and pictures, −1…1."""
        chosen = self._random.randint(len(self), size=BATCH)
        pictures = torch.cat([self._pictures[i] for i in chosen]).float() / 127.5 - 1
        return torch.cat([self._ws[i] for i in chosen]), pictures

    def _code(self) -> Tensor:
        """(1, 23, 512): two fifths as they come, a fifth mixed of two, two fifths with an expression."""
        random, teacher = self._random, self._teacher
        first, second = teacher.codes_of_seeds(random.randint(10**9, size=2).tolist(), float(random.uniform(0.5, 0.9)))
        ws = teacher.broadcast(first[None]).clone()
        kind = random.choice(["plain", "mixed", "expression"], p=[0.4, 0.2, 0.4])
        if kind == "mixed":
            ws[:, 1 + 3 * random.randint(1, 5) :] = second
        elif kind == "expression":
            code = ws[0].numpy().copy()
            ws += torch.from_numpy(self._predictor.offset(NEUTRAL_STEP, code) * np.float32(random.uniform(0, 1)))
            emotion = random.choice([name for name in PREDICTED if name in EMOTION_GOALS])
            control = random.choice(["mouth_open", "blink"])
            for name, most in ((emotion, 1.3), (control, 0.5)):
                ws += torch.from_numpy(self._predictor.offset(name, code) * np.float32(random.uniform(0, most)))
        return ws


def fit(student: StyleGan2, faces: Faces, seconds: float) -> StyleGan2:
    """For so long; returns the average of the last steps' weights."""
    average = copy.deepcopy(student)
    parameters = [parameter for parameter in student.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(0.0, 0.99))
    begin, step, shown = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - begin) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine_pace(share)
        for module in student.modules():
            if isinstance(module, ModulatedConvolution):
                module.energy = module.weight.square().sum(dim=(2, 3))  # with a gradient, unlike `measure`
        ws, pictures = faces.batch()
        loss = difference(student.synthesis(ws), pictures)
        descend(loss, student, optimizer, average, share_kept(step, 0.998), steepest=1.0)
        faces.draw(FACES_A_STEP)
        shown, step = (0.98 * shown + 0.02 * loss.item() if step else loss.item()), step + 1
        if step % 100 == 0:
            print(f"{share:4.0%} step {step}, {len(faces)} faces: {shown:.4f}", flush=True)
    for module in average.modules():
        if isinstance(module, ModulatedConvolution):
            module.measure()
    return average.eval().requires_grad_(False)


def difference(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference, of the pictures, of what they are when shrunk, and of their edges."""
    total = torch.zeros(())
    for _ in range(3):
        across = (drawn.diff(dim=3) - wanted.diff(dim=3)).abs().mean() + (drawn.diff(dim=2) - wanted.diff(dim=2)).abs().mean()
        total = total + (drawn - wanted).abs().mean() + across
        drawn, wanted = F.avg_pool2d(drawn, 2), F.avg_pool2d(wanted, 2)
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.distil_stylegan2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="time to learn (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the generator")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="processor threads (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
