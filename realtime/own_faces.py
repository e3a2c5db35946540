"""Which picture plays with a generator of the user's own: `seed:N` and the eight seeds after it, keys 1...9, the first on 0.

Its expressions get better while the show runs, each step once and then kept in the user's cache: walks towards other pictures;
attribute-level directions, once its faces are measured; what a predictor says that learnt on its faces; for the face of the
start, that evened, with strengths of its own; and what a search finds for it. A generator that draws no faces keeps the walks.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from engine import cache
from engine.drawn import quick_generator
from models.errors import UserError
from models.expression import directions
from models.expression.directions import NoFacesError
from models.expression.find import find_paths, finished
from models.expression.own_generator import Kept, best_known, check_learnable, learn
from models.expression.paths import ExpressionPaths, load_paths, save_paths
from models.expression.progress import within
from models.expression.provenance import provenance
from models.expression.walks import walk_paths
from models.files import cache_folder, note_use
from models.judge.eyes import WHO, check_eyes, open_eyes
from models.stylegan.converted import load_generator
from models.stylegan.generator import Generator
from realtime.background import Background, give_way, telling
from realtime.clock import Clock
from realtime.draw import FaceOnShow
from realtime.faces import KEYS, finished_file, seed_of
from realtime.settings import Face

log = logging.getLogger(__name__)

PSI: Final = 0.7  # truncation of what is kept without saying so in its name
TOLD_EVERY: Final = 0.05  # of the work
LEARNT: Final = 0.9  # of the work, when the predictor has learnt ...
LOOKED_AT: Final = 0.93  # ... and when the face of the start has strengths of its own; then it is searched


@dataclass(frozen=True)
class Work:
    """What the background process is told: which generator, which face of it, what steers, and where the face's paths go.

    folder   for the files that `found_file` names
    """

    source: Path
    label: int | None
    seed: int
    psi: float
    networks: Path | None
    folder: Path


Learn = Callable[[Work, Any], None]
"""(work, a shared number that rises to 1): a function of some module's top level, run in a process of its own."""


class OwnFaces:
    """Does for an own generator what `realtime.faces.Faces` does for the default one.

    Raises `UserError` for a name that is not `seed:N`, for a folder of networks that lacks one of those that steer, and for kept
    paths that belong elsewhere.
    """

    def __init__(self, settings: Face, source: Path, label: int | None, generator: Generator, clock: Clock, learn: Learn) -> None:
        """`source` and `label` open the same generator again, in the process that learns."""
        self._generator, self._clock, self._psi = generator, clock, settings.truncation
        first = seed_of(settings.name or "seed:0")
        self._seeds = [(first + key) % 2**32 for key in range(KEYS)]
        self._kept = Kept(generator, WHO[settings.networks is None])
        self._work = Work(source, label, first, self._psi, settings.networks, cache_folder("paths"))
        self._started = generator.broadcast(generator.code_of_seed(first, self._psi))[0].numpy()
        self._searched = {} if settings.walks else _searched(generator, self._seeds)
        self._walks = settings.walks
        self._stage = self._reached()
        self._bank = self._known()
        self._number = 0
        self.on_show = FaceOnShow(self._bank[0])
        self._told = 0.0
        self._background = self._begun(settings, self._work, learn)

    @property
    def name(self) -> str:
        """Of the picture on show."""
        return self.on_show.name

    @property
    def part(self) -> float | None:
        """How much of what runs in the background is done, 0...1; None where nothing does."""
        return None if self._background is None else self._background.part

    @property
    def index(self) -> int:
        """Place of the picture on show, 0...8."""
        return self._number

    def choose(self, index: int) -> None:
        """Become number `index` (0...8); -1 is the picture of the start, which is number 0."""
        self._number = max(index, 0)
        self.on_show.change(self._bank[self._number], self._clock.now())

    def step(self) -> None:
        """Take in what the background process found since the last step."""
        self._take_in(self._clock.now())

    def wait(self) -> None:
        """Until it has ended; what it found is shown without a fade, as if it had been there before."""
        if self._background is not None:
            log.info("waiting until this generator's expressions are learnt, once; --walks plays without")
        while self._background is not None:
            self._background.wait(1.0)
            self._take_in(float("-inf"))

    def close(self) -> None:
        """End what still runs; it goes on from there the next time."""
        if self._background is not None:
            self._background.close()

    def _begun(self, settings: Face, work: Work, learn: Learn) -> Background | None:
        """The process that learns, where there is something to learn; else a line that says why not."""
        if settings.walks or work.seed in self._searched or self._reached()[-1]:
            if settings.networks is not None:
                check_eyes(settings.networks)
            return None
        try:
            check_learnable(self._generator)
            steered_by = check_eyes(settings.networks)
        except UserError as error:
            if settings.networks is not None:
                raise
            log.info("each emotion leads towards another picture, expressions can't be learnt: %s", error)
            return None
        if cache.recall(*_faceless(self._generator.graph_hash)):
            log.info("this generator draws no faces: each emotion leads towards another of its pictures (docs/generators.md)")
            return None
        if not self._kept.predictor_file.exists():
            log.info(
                "each emotion leads towards another picture until this generator's expressions are learnt in the background, "
                "steered by %s (docs/generators.md)",
                steered_by,
            )
        return Background(learn, work)

    def _take_in(self, t: float) -> None:
        if self._background is None:
            return
        if self._background.part >= self._told + TOLD_EVERY:
            self._told = self._background.part
            log.info("learning this generator's expressions: %.0f %%", 100 * self._told)
        ended = not self._background.running
        stage = self._reached()
        if stage != self._stage:
            self._stage, self._bank = stage, self._known()
            self.on_show.change(self._bank[self._number], t)
        if ended:
            if self._background.failed:
                log.warning("learning this generator's expressions failed; what was found until then stays")
            elif cache.recall(*_faceless(self._generator.graph_hash)):
                log.info("its pictures show no faces: each emotion leads towards another one (docs/generators.md)")
            else:
                log.info("%s has its own expressions now", self._bank[0].name)
            self._background = None

    def _reached(self) -> tuple[bool, ...]:
        """Which of the steps has left its file."""
        kept = self._kept
        return kept.directions_file.exists(), *(
            file is not None and file.exists() for file in (kept.predictor_file, *self._files())
        )

    def _files(self) -> tuple[Path | None, Path | None]:
        """Of the face of the start: what is predicted with strengths of its own, and what the search found."""
        found = found_file(self._work, self._kept, self._started)
        return found and finished_file(found), found

    def _known(self) -> list[ExpressionPaths]:
        """The nine pictures with the best that is known of each."""
        predictor = None if self._walks else best_known(self._generator)

        def known(seed: int) -> ExpressionPaths:
            found = self._searched.get(seed)
            if found is None and seed == self._seeds[0] and not self._walks:
                found = self._of_the_start()
            if found is not None:
                return found
            if predictor is None:
                return walk_paths(self._generator, seed, self._psi)
            ws = self._generator.broadcast(self._generator.code_of_seed(seed, self._psi))
            return predictor.paths(ws[0].numpy(), f"seed:{seed}")

        return [known(seed) for seed in self._seeds]

    def _of_the_start(self) -> ExpressionPaths | None:
        """What the search found, or is predicted with strengths of its own; a damaged file is removed, to be made anew."""
        name = f"seed:{self._seeds[0]}"
        for file in reversed(self._files()):
            if file is None or not file.exists():
                continue
            note_use(file)
            try:
                return load_paths(file, self._generator.graph_hash)[name]
            except (UserError, KeyError) as error:
                log.warning("the kept expressions of %s can't be read and are searched anew: %s", name, error)
                file.unlink(missing_ok=True)
        return None


def found_file(work: Work, kept: Kept, ws: NDArray[np.float32]) -> Path | None:
    """Where the own paths of the face `ws` (num_ws, w_dim) go; None until there is a predictor for a search to start from."""
    if not kept.predictor_file.exists():
        return None
    who = WHO[work.networks is None]
    psi = "" if work.psi == PSI else f"-{work.psi:g}"
    stem = f"{kept.graph_hash[:16]}-{work.seed}{psi}-{who}"
    return work.folder / f"{stem}-{provenance(ws, kept.predictor_file, who)}.safetensors"


def _searched(generator: Generator, seeds: Sequence[int]) -> dict[int, ExpressionPaths]:
    """The expressions that somebody searched for this generator, of those seeds that have some."""
    found = {}
    for seed in seeds:
        file, name = cache_folder("paths") / f"{generator.graph_hash[:16]}-{seed}.safetensors", f"seed:{seed}"
        if not file.exists():
            continue
        faces = load_paths(file, generator.graph_hash)
        if name not in faces:
            raise UserError(f"{file} should hold the expressions of {name}, it holds {', '.join(faces)}: rename or remove it")
        found[seed] = faces[name]
    return found


def _faceless(graph_hash: str) -> tuple[str, dict[str, str]]:
    """Under what it is remembered that a generator draws no faces."""
    return f"faceless_{graph_hash[:16]}", {"generator": graph_hash, "by": directions.FORMAT}


def learn_and_save(work: Work, part: Any) -> None:
    """Learn the expressions of a generator and search those of one face, each step kept where `OwnFaces` looks for it."""
    give_way()
    warnings.filterwarnings("ignore", module="onnx2torch")  # of a future torch; nothing a performer can do about
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    tell = telling(part)
    try:
        generator, eyes = quick_generator(load_generator(work.source, work.label), "fine"), open_eyes(work.networks)
        try:
            known = learn(generator, eyes, within(tell, 0.0, LEARNT))
        except NoFacesError:
            cache.remember(*_faceless(generator.graph_hash), True)
            return
        ws, name = generator.broadcast(generator.code_of_seed(work.seed, work.psi)).clone(), f"seed:{work.seed}"
        file = found_file(work, Kept(generator, eyes.name), ws[0].numpy())
        if file is None:
            raise UserError("what was learnt of this generator was taken away meanwhile; start again")
        if not finished_file(file).exists():
            start = ws[0].numpy()
            looked_at = finished(generator, start, known.paths(start, name), eyes, within(tell, LEARNT, LOOKED_AT))
            save_paths(finished_file(file), {name: looked_at})
        found = find_paths(generator, ws, eyes, within(tell, LOOKED_AT, 1.0), predictor=known)
        save_paths(file, {name: replace(found, name=name)})
    except UserError as error:
        sys.exit(f"error: {error}")
