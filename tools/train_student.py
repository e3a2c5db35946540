"""Train the student that steers searches on users' machines: `python -m tools.train_student --networks DIR --minutes 30`.

Draws faces and asks the networks that steer (`tools/student_pictures.py`), then teaches the student (`models/judge/student.py`)
what they said: verdicts at two temperatures, who is seen, and how alike any two pictures of a batch are. `--searched N` first
lets the student steer searches of N faces more, asks those networks what it was taken in by, and learns from that too. Goes on
where it stopped: drawing, searching, and training until it has had `--minutes` of processor time in all.
"""

import argparse
import copy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.descent import cosine_pace
from models.errors import exit_on_user_error
from models.files import cache_folder, check_place, written_beside
from models.judge.steer import Jitter, View
from models.judge.student import EMBEDDING, MARGIN, SIDE, WEIGHTS_FILE, Seen, Student
from models.precision import fast_autocast
from models.stylegan.default import load_default_generator
from tools import student_pictures
from tools.ranges import add_threads, real, whole
from tools.student_pictures import draw_files, load_labelled, search_files

HELD_OUT: Final = 2 * student_pictures.FACES  # the first drawn faces are only measured
PEOPLE: Final = 16  # in a batch
OF_EACH: Final = 4  # pictures
SEARCHED_MORE: Final = 4  # times as often as a drawn picture, one from a search is shown: it is where the student was wrong
LEARNING_RATE: Final = 2e-3
DECAY: Final = 0.02
TEMPERATURES: Final = (1.6, 4.0)  # the search's own, and one that shows what is behind a sure verdict
WEIGHTS: Final = {"verdicts": 1.0, "embedding": 2.0, "alike": 20.0, "age": 0.5, "man": 0.2}
AVERAGED: Final = 0.999  # of the weights that are kept, from step to step
AXES_FILE: Final = "axes.safetensors"
SECONDS_KEPT: Final = 60  # between two states on disk


class Material:
    """The labelled pictures in memory, by person."""

    def __init__(self, folder: Path) -> None:
        """Raises `UserError` where there are none."""
        self.all = load_labelled(folder)
        faces = self.all["face"].numpy()
        last_held_out = student_pictures.FIRST_SEED + HELD_OUT
        self.held_out = np.flatnonzero(faces < last_held_out)
        self.people = [np.flatnonzero(faces == face) for face in np.unique(faces) if face >= last_held_out]
        more = [SEARCHED_MORE if faces[rows[0]] >= student_pictures.FIRST_SEARCHED else 1 for rows in self.people]
        weights = np.array([len(rows) * times for rows, times in zip(self.people, more, strict=True)])
        self._chance = weights / weights.sum()
        self.targets = F.normalize(self.all["embedding"].float() @ _axes(self.all["embedding"], folder.parent / AXES_FILE))

    def batch(self, random: np.random.RandomState) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops (n, 3, SIDE, SIDE) as they come from a camera or a preview, and what was seen in them."""
        chosen = random.choice(len(self.people), PEOPLE, replace=False, p=self._chance)
        rows = np.concatenate([random.choice(self.people[person], OF_EACH) for person in chosen])
        views = random.randint(2, size=len(rows))
        changes = torch.Generator().manual_seed(int(random.randint(2**31)))
        return changed(self.crops(rows, views), changes), self.labels(rows, views)

    def crops(self, rows: np.ndarray, views: np.ndarray) -> Tensor:
        """(n, 3, SIDE, SIDE): pictures as jitter number `views` of each shows them."""
        pictures = self.all["crop"][rows].permute(0, 3, 1, 2).float() / 255
        whole = View(0.5, 0.5, 1 / student_pictures.MARGIN, 0.0)  # the face box within the kept crop
        jitters = self.all["jitters"][rows, views].tolist()
        matrices = [whole.matrix(MARGIN, jitter=Jitter(dx, dy, scale, bool(m))) for dx, dy, scale, m in jitters]
        grid = F.affine_grid(torch.stack(matrices), [len(rows), 3, SIDE, SIDE], align_corners=False)
        return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)

    def labels(self, rows: np.ndarray, views: np.ndarray) -> dict[str, Tensor]:
        """Of the same pictures and jitters: verdicts (n, 2, 5), embedding (n, EMBEDDING), age, man."""
        return {
            "verdicts": self.all["verdicts"][rows, views],
            "embedding": self.targets[rows],
            "age": self.all["age"][rows],
            "man": self.all["man"][rows],
        }


def _axes(embeddings: Tensor, file: Path) -> Tensor:
    """(1024, EMBEDDING): the leading axes of the embeddings, which keep their cosines; once training has begun they stay."""
    if not file.exists():
        values = embeddings.float()
        axes = torch.linalg.eigh(values.T @ values)[1][:, -EMBEDDING:].contiguous()
        with written_beside(file) as beside:
            save_file({"axes": axes}, beside)
    return load_file(file)["axes"]


def changed(crops: Tensor, random: torch.Generator) -> Tensor:
    """Light, colour, sharpness and noise a little different, none of which changes who is seen or what they feel."""
    n = len(crops)

    def each(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(n, channels, 1, 1, generator=random)

    crops = crops * each(0.85, 1.15) * each(0.96, 1.04, 3) + each(-0.06, 0.06) + each(-0.02, 0.02, 3)
    soft = F.interpolate(F.avg_pool2d(crops, 2), size=crops.shape[-1], mode="bilinear", align_corners=False)
    crops = torch.lerp(crops, soft, each(-0.3, 1.0).clamp(min=0))
    slow = torch.randn(n, 3, 7, 7, generator=random) * each(0, 0.04)
    crops = crops + F.interpolate(slow, size=crops.shape[-1], mode="bilinear", align_corners=False)
    return crops + torch.randn(crops.shape, generator=random) * each(-0.02, 0.04).clamp(min=0)


def losses(seen: Seen, labels: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weighted parts of what the student has to pay."""
    verdicts = torch.zeros(())
    for temperature in TEMPERATURES:
        ours, theirs = ((value / temperature).log_softmax(-1) for value in (seen.verdicts, labels["verdicts"]))
        verdicts = verdicts + temperature * F.kl_div(ours, theirs, log_target=True, reduction="none").sum(-1).mean()
    alike = seen.embedding @ seen.embedding.T - labels["embedding"] @ labels["embedding"].T
    return {
        "verdicts": WEIGHTS["verdicts"] * verdicts,
        "embedding": WEIGHTS["embedding"] * (1 - (seen.embedding * labels["embedding"]).sum(1)).mean(),
        "alike": WEIGHTS["alike"] * _of_one_person(alike.square()),
        "age": WEIGHTS["age"] * F.smooth_l1_loss(seen.age / 10, labels["age"] / 10),
        "man": WEIGHTS["man"] * F.binary_cross_entropy_with_logits(seen.man, labels["man"]),
    }


def _of_one_person(values: Tensor) -> Tensor:
    """The mean over all pairs (n, n) plus the mean over pairs of one person, who come one after another."""
    person = torch.arange(len(values)) // OF_EACH
    same = (person[:, None] == person).float()
    together: Tensor = values.mean() + (values * same).sum() / same.sum()
    return together


class Trainer:
    """The student on its way."""

    def __init__(self, work: Path, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.student = Student().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.kept = copy.deepcopy(self.student).requires_grad_(False)
        self._optimizer = torch.optim.AdamW(self.student.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
        self._file, self._seed = work / f"student_{seed}.pt", seed
        self.minutes, self.steps = 0.0, 0
        if self._file.exists():
            state = torch.load(self._file, weights_only=True)
            self.student.load_state_dict(state["student"])
            self.kept.load_state_dict(state["kept"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.minutes, self.steps = state["minutes"], state["steps"]

    def save(self) -> None:
        """So that another run goes on from here."""
        with written_beside(self._file) as beside:
            torch.save(
                {
                    "student": self.student.state_dict(),
                    "kept": self.kept.state_dict(),
                    "optimizer": self._optimizer.state_dict(),
                    "minutes": self.minutes,
                    "steps": self.steps,
                },
                beside,
            )

    def train(self, material: Material, until: float) -> Iterator[dict[str, float]]:
        """Steps until `until` minutes in all; yields the parts of the loss after each."""
        self.student.train()
        began, last = self.minutes, time.process_time()
        while self.minutes < until:
            pace = cosine_pace((self.minutes - began) / (until - began), 0.01)
            warm = min(1.0, (self.minutes - began) * 4)  # the first quarter of a minute
            for group in self._optimizer.param_groups:
                group["lr"] = LEARNING_RATE * warm * pace
            random = np.random.RandomState([self._seed, self.steps])
            crops, labels = material.batch(random)
            with fast_autocast():
                seen = self.student(crops.to(memory_format=torch.channels_last))
            parts = losses(seen, labels)
            self._optimizer.zero_grad()
            torch.autograd.backward(torch.stack(list(parts.values())).sum())
            nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
            self._optimizer.step()
            self.steps += 1
            share = min(AVERAGED, self.steps / (self.steps + 10))
            for kept, now in zip(self.kept.state_dict().values(), self.student.state_dict().values(), strict=True):
                kept.lerp_(now, 1 - share) if kept.is_floating_point() else kept.copy_(now)
            now_ = time.process_time()
            self.minutes, last = self.minutes + (now_ - last) / 60, now_
            yield {name: float(part.detach()) for name, part in parts.items()}


def measured(student: Student, material: Material) -> dict[str, float]:
    """On faces that were held out: how often both say the same, how far verdicts and cosines of one person are apart."""
    student.eval()
    rows = material.held_out
    views = np.zeros(len(rows), int)
    with torch.no_grad():
        parts = [student(material.crops(rows[part], views[part])) for part in np.array_split(np.arange(len(rows)), 8)]
    seen = Seen(*(torch.cat(values) for values in zip(*parts, strict=True)))
    labels = material.labels(rows, views)
    faces = material.all["face"][rows]
    same = (faces[:, None] == faces[None]) & ~torch.eye(len(rows), dtype=torch.bool)
    ours, theirs = seen.embedding @ seen.embedding.T, labels["embedding"] @ labels["embedding"].T
    agree = (seen.verdicts.argmax(-1) == labels["verdicts"].argmax(-1)).float().mean(0)
    return {
        "faceapi": float(agree[0]),
        "gear_e2": float(agree[1]),
        "probability": float((seen.verdicts.exp() - labels["verdicts"].exp()).abs().mean()),
        "embedding": float((seen.embedding * labels["embedding"]).sum(1).mean()),
        "same person": float((ours - theirs)[same].abs().mean()),
        "correlation": float(torch.corrcoef(torch.stack([ours[same], theirs[same]]))[0, 1]),
        "age": float((seen.age - labels["age"]).abs().mean()),
        "man": float(((seen.man > 0) == (labels["man"] > 0.5)).float().mean()),
    }


def save_student(student: Student, path: Path) -> None:
    """As `load_student` reads it, float16. Raises `UserError` where it can't be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in student.state_dict().items()
    }
    with written_beside(path) as beside:
        save_file(tensors, beside)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    check_place(options.out, "the student")
    work = options.work or cache_folder("student")
    pictures = work / "pictures"

    def tell(text: str) -> None:
        print(text, flush=True)

    draw_files(load_default_generator(), options.networks, pictures, options.drawn, tell)
    search_files(options.out, options.networks, pictures, options.searched, tell)
    material, trainer = Material(pictures), Trainer(work, options.seed)
    recent: list[dict[str, float]] = []
    saved = trainer.minutes
    for parts in trainer.train(material, options.minutes):
        recent.append(parts)
        if trainer.minutes - saved > SECONDS_KEPT / 60:
            trainer.save()
            saved = trainer.minutes
            means = {name: np.mean([part[name] for part in recent]) for name in recent[0]}
            recent.clear()
            tell(f"{trainer.minutes:.1f} min, step {trainer.steps}: " + ", ".join(f"{n} {v:.3f}" for n, v in means.items()))
    trainer.save()
    save_student(trainer.kept, options.out)
    for name, value in measured(trainer.kept, material).items():
        tell(f"held out: {name:12} {value:.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_student", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=Path, required=True, metavar="DIR", help="folder of the networks that steer: the teachers")
    add(
        "--minutes",
        type=real("--minutes", 0, 1e6),
        default=30,
        metavar="M",
        help="of training in all, processor time (%(default)s)",
    )
    add(
        "--drawn",
        type=whole("--drawn", 3),
        default=40,
        metavar="N",
        help=f"files of {student_pictures.FACES} faces to draw (%(default)s)",
    )
    add(
        "--searched",
        type=whole("--searched", 0),
        default=0,
        metavar="N",
        help="faces to search with the student that --out holds (%(default)s)",
    )
    add(
        "--seed",
        type=whole("--seed", 0, 2**32 - 1),
        default=0,
        metavar="N",
        help="of the student's first weights and of the batches (%(default)s)",
    )
    add("--out", type=Path, default=WEIGHTS_FILE, metavar="FILE", help="where the student goes (%(default)s)")
    add("--work", type=Path, metavar="DIR", help="folder for pictures and state (in the user's cache)")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
