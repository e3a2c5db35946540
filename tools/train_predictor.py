"""Train what predicts a face's expressions from its code: `python -m tools.train_predictor --networks DIR --minutes 60`.

Draws one face after another (`seed:10000` on, none of them is ever judged), lets the predictor walk it to neutral and to some
expressions, and corrects it by the gradients of the search's own objective through the generator and its 256² head. Steps have
the gradient's direction and not its length, as in the search. Goes on where it stopped; the pace falls over all `--minutes`.
`--hold EMOTIONS` goes on from the shipped predictor: only these (or neutral) learn, more calmly; the person, the head, the
sides and the picture count more, and emotions leave the first rows alone, which move the background rather than the face.
At the end, strength and knots are set by full pictures: see `calibrated`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from engine.drawn import DrawnGenerator, quick_generator
from models.errors import UserError, exit_on_user_error
from models.expression.bank import PREDICTOR_FILE, load_directions, load_predictor
from models.expression.goals import EMOTION_GOALS, NEUTRAL_GOAL, RIG_GOALS, Goal
from models.expression.instance_search import FACE_ROWS, ROWS, random_jitters
from models.expression.objective import Objective, Start, Weights
from models.expression.predictor import KNOTS, NEUTRAL_STEP, PREDICTED, PathPredictor, untrained
from models.expression.preview import HeadPreview, as_bytes, full_picture
from models.files import cache_folder, check_place, make_folder, written_beside
from models.judge.measure import Detector
from models.judge.steer import BOTH_WAYS, PublishedNetworks, View
from models.labels import EMOTIONS
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from tools.descent import cosine_pace

FIRST_SEED: Final = 10_000
FIRST_HELD: Final = 20_000
COMPONENTS: Final = 62
CODES: Final = 20_000  # from which mean and principal components come
LENGTH: Final = 0.35  # of a step in W+ at the beginning
OWN: Final = 2.5  # how much farther the drawn face itself moves than all faces do
MOMENTUM: Final = 0.9
DISTANCE: Final = 0.005  # pull towards no offset: else what no network sees wanders off, and with it the person
EACH: Final = 2  # goals walked to per face, after neutral
LAST: Final = 0.05  # of its pace, at the end
HELD: Final = Weights(identity=10.0, picture=60.0, symmetry=0.6, turn=0.15)  # what `--hold` pays
HELD_REST: Final = Weights(picture=50.0, symmetry=0.0, sides=15.0, turn=0.15)  # a face may be more even at rest than it came
# Calm: steps have the gradient's direction and not its length, so that at the end what is left of them is noise. It hides where
# no network looks, in the background first.
HELD_PACE: Final = 0.3
HELD_OWN: Final = 1.0
HELD_LAST: Final = 0.02
STILL: Final = slice(FACE_ROWS.start - ROWS.start)  # of `ROWS`, that no emotion moves
CALIBRATED_FACES: Final = 12
SCALES: Final = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
CONVINCED: Final = 0.9  # probability by the less convinced network at which an emotion is strong enough
PERSON_STAYS: Final = 0.85  # faceres' cosine to neutral, in the mean, that no emotion falls below for strength
GOALS: Final[dict[str, Goal]] = {
    NEUTRAL_STEP: NEUTRAL_GOAL,
    **{name: EMOTION_GOALS.get(name) or RIG_GOALS[name] for name in PREDICTED if name != NEUTRAL_STEP},
}

HOLDABLE: Final = (NEUTRAL_STEP, *EMOTION_GOALS)


class Trainer:
    """The predictor's matrices on their way, and everything that corrects them."""

    def __init__(self, networks: Path, work: Path, hold: Sequence[str] = ()) -> None:
        """Goes on where a run with the same `work` stopped; with emotions to hold it starts from the shipped predictor."""
        generator = load_default_generator()
        self.generator = generator
        self._steering, self._detect = PublishedNetworks(networks), Detector(networks)
        self._preview = HeadPreview(generator)
        self._file = work / f"{'_'.join(['held', *sorted(hold)]) if hold else 'predictor'}.safetensors"
        self._hold, self._own = hold, HELD_OWN if hold else OWN
        if hold:
            self.predictor = load_predictor(generator.graph_hash)
        else:
            self.predictor = untrained(load_directions(generator.graph_hash), drawn_codes(generator), COMPONENTS)
        self.seed, self.minutes = FIRST_HELD if hold else FIRST_SEED, 0.0
        self._matrices = {name: torch.from_numpy(matrix.copy()) for name, matrix in self.predictor.matrices.items()}
        self._velocity = {name: torch.zeros_like(matrix) for name, matrix in self._matrices.items()}
        if self._file.exists():
            for name, tensor in load_file(self._file).items():
                if name == "progress":
                    self.seed, self.minutes = int(tensor[0]), float(tensor[1])
                else:
                    self._matrices[name].copy_(torch.from_numpy(tensor))
        for name in hold:
            if name != NEUTRAL_STEP:
                self._matrices[name][STILL] = 0

    def save(self) -> None:
        """So that another run goes on from here."""
        tensors = {name: self._matrices[name].numpy() for name in self._hold or self._matrices}
        with written_beside(self._file) as beside:
            save_file({**tensors, "progress": np.array([self.seed, self.minutes])}, beside)

    def trained(self) -> PathPredictor:
        """The predictor as it is now."""
        return replace(self.predictor, matrices={name: matrix.numpy().copy() for name, matrix in self._matrices.items()})

    def step(self, pace: float) -> dict[str, float]:
        """One face: neutral and some goals, or what is held. Returns the losses by goal; none where the picture shows no face."""
        random = np.random.RandomState(self.seed)
        ws = self.generator.broadcast(self.generator.code_of_seed(self.seed)).clone()
        self.seed += 1
        features = torch.from_numpy(self.predictor.features(ws[0, 0].numpy()))
        to_rest = not self._hold or NEUTRAL_STEP in self._hold
        first = ws if to_rest else self._led(NEUTRAL_STEP, ws, features)
        with torch.no_grad():
            picture = self._preview(first)
        try:
            view = View.of(self._detect(as_bytes(picture)), picture.shape[-1])
        except UserError:
            return {}
        start = Start(self._steering, picture, view)
        losses, names = {}, [name for name in self._hold if name != NEUTRAL_STEP]
        if to_rest:
            first, picture, losses[NEUTRAL_STEP] = self._walk(NEUTRAL_STEP, ws, start, features, pace, random)
            start = Start(self._steering, picture, view)
        if not self._hold:
            names = random.choice([name for name in GOALS if name != NEUTRAL_STEP], EACH, replace=False).tolist()
        for name in names:
            _, _, losses[name] = self._walk(name, first, start, features, pace, random)
        return losses

    def _led(self, name: str, ws: Tensor, features: Tensor) -> Tensor:
        """Where the predictor leads from `ws`."""
        end = ws.clone()
        end[0, ROWS] += self._matrices[name] @ features
        return end

    def _walk(
        self, name: str, ws: Tensor, start: Start, features: Tensor, pace: float, random: np.random.RandomState
    ) -> tuple[Tensor, Tensor, float]:
        """Where the predictor leads from `ws`, the picture there, the loss; and the predictor is corrected."""
        end = self._led(name, ws, features)
        moved = end.clone().requires_grad_()
        picture = self._preview(moved)
        weights = Weights() if not self._hold else HELD_REST if name == NEUTRAL_STEP else HELD
        terms = Objective(self._steering, start, GOALS[name], weights)(picture, random_jitters(random, 2))
        terms["distance"] = DISTANCE * (moved - ws).square().sum()
        loss = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(loss, moved)
        direction = gradient[0, ROWS] / gradient.norm().clamp_min(1e-12)
        # The constant moves all faces; the others move faces like this one, this one so many times as far as all.
        told = torch.cat([features[:1], self._own * features[1:] / features[1:].square().sum()])
        self._velocity[name].mul_(MOMENTUM).add_(direction[..., None] * told, alpha=1 - MOMENTUM)
        if self._hold and name != NEUTRAL_STEP:
            self._velocity[name][STILL] = 0
        self._matrices[name].sub_(self._velocity[name], alpha=pace * LENGTH)
        return end, picture.detach(), float(loss.detach())


def drawn_codes(generator: MobileStyleGAN) -> NDArray[np.float32]:
    """(CODES, 512): codes of random faces, as `code_of_seed` draws them."""
    z = torch.from_numpy(np.random.RandomState(0).randn(CODES, generator.z_dim)).float()
    return torch.cat([generator.truncate(generator.mapping(part), 0.7) for part in z.chunk(20)]).numpy()


def calibrated(predictor: PathPredictor, generator: DrawnGenerator, networks: Path, emotions: Sequence[str]) -> PathPredictor:
    """Each emotion as strong as convinces the less convinced network in the mean, the person staying; knots at even log-odds.

    Judged by the networks that steer, on full pictures of `CALIBRATED_FACES` faces from `FIRST_SEED` on.
    """
    steering, detect = PublishedNetworks(networks), Detector(networks)
    fine = np.linspace(0, 1, 7)
    matrices, places = dict(predictor.matrices), dict(predictor.places)
    scenes = []
    for seed in range(FIRST_SEED, FIRST_SEED + CALIBRATED_FACES):
        ws = generator.broadcast(generator.code_of_seed(seed))[0].numpy()
        neutral = torch.from_numpy(ws + predictor.offset(NEUTRAL_STEP, ws))[None]
        picture = full_picture(generator, neutral)
        view = View.of(detect(as_bytes(picture)), picture.shape[-1])
        with torch.no_grad():
            scenes.append((ws, neutral, view, steering.person(picture, view).embedding))

    def seen(emotion: str, scale: float) -> tuple[float, float, float]:
        """Means over the faces: probability by the less convinced network, log-odds of the mean, faceres' cosine to neutral."""
        rows = []
        for ws, neutral, view, person in scenes:
            offset = torch.from_numpy(scale * predictor.offset(emotion, ws))
            picture = full_picture(generator, neutral + offset)
            with torch.no_grad():
                both = steering.expression(picture, view, BOTH_WAYS)[..., EMOTIONS.index(emotion)].exp().mean(1)
                same = steering.person(picture, view).embedding @ person
            rows.append((float(both.min()), float(torch.logit(both.mean(), eps=1e-4)), float(same)))
        sure, odds, same_person = np.mean(rows, axis=0).tolist()
        return sure, odds, same_person

    for emotion in emotions:
        chosen = SCALES[0]
        for scale in SCALES:
            sure, _, same = seen(emotion, scale)
            print(f"{emotion} × {scale}: {sure:.2f} sure, the same person {same:.2f}", flush=True)
            if same < PERSON_STAYS and scale > SCALES[0]:
                break
            chosen = scale
            if sure >= CONVINCED:
                break
        rising = np.maximum.accumulate([seen(emotion, chosen * float(part))[1] for part in fine])
        evenly = np.interp(np.linspace(rising[0], rising[-1], KNOTS + 1)[1:], rising, fine)
        places[emotion] = np.append(evenly[:-1], 1).astype(np.float32)
        matrices[emotion] = (chosen * matrices[emotion]).astype(np.float32)
    return replace(predictor, matrices=matrices, places=places)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    if options.minutes < 0 or options.threads < 1:
        raise UserError(f"no negative time and at least one thread are needed, got {options.minutes} and {options.threads}")
    torch.set_num_threads(options.threads)
    hold = options.hold.split(",") if options.hold else []
    if unknown := [name for name in hold if name not in HOLDABLE]:
        raise UserError(f"--hold takes {', '.join(HOLDABLE)}, got '{unknown[0]}': write for example --hold fear,sad")
    check_place(options.out, "the predictor")
    work = options.work or cache_folder("predictor")
    make_folder(work)
    trainer = Trainer(options.networks, work, hold)
    pace, end, first = (HELD_PACE, HELD_LAST, FIRST_HELD) if hold else (1.0, LAST, FIRST_SEED)
    recent: dict[str, list[float]] = {name: [] for name in GOALS}
    last = time.process_time()
    while trainer.minutes < options.minutes:
        share = trainer.minutes / options.minutes
        for name, loss in trainer.step(pace * cosine_pace(share, end)).items():
            recent[name].append(loss)
        now = time.process_time()
        trainer.minutes, last = trainer.minutes + (now - last) / 60, now
        if trainer.seed % 50 == 0:
            trainer.save()
            print(
                f"{trainer.seed - first} faces, {100 * share:.0f} %: "
                + ", ".join(f"{name} {np.mean(losses[-25:]):.2f}" for name, losses in recent.items() if losses),
                flush=True,
            )
    trainer.save()
    emotions = [name for name in EMOTION_GOALS if not hold or name in hold]
    calibrated(trainer.trained(), quick_generator(), options.networks, emotions).save(options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_predictor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=Path, required=True, metavar="DIR", help="folder of the networks that steer")
    add("--minutes", type=float, default=60, help="of processor time, all runs together (default %(default)s)")
    add("--hold", metavar="EMOTION[,EMOTION …]", help="go on from the shipped predictor: these (or neutral) learn on calmly")
    add("--out", type=Path, default=PREDICTOR_FILE, metavar="FILE", help="(%(default)s)")
    add("--work", type=Path, metavar="DIR", help="where training goes on from (default in the user's cache)")
    add("--threads", type=int, default=1, metavar="N", help="processor threads (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
