"""Which face plays: the bank's on keys 1...9, the one of the start on 0; a seed outside the bank as predicted, until its own
paths are found in the background.

In between, some seconds after the start, its predicted expressions get strengths that look the same as on other faces.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from engine.drawn import quick_generator
from models.errors import UserError
from models.expression.bank import PREDICTOR_FILE, load_bank, load_predictor
from models.expression.find import find_paths, finished
from models.expression.paths import ExpressionPaths, load_paths, save_paths
from models.expression.progress import within
from models.expression.provenance import provenance
from models.files import cache_folder, note_use
from models.judge.eyes import WHO, check_eyes, open_eyes
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.seeds import LAST_SEED, seed_in
from realtime.background import Background, give_way, telling
from realtime.clock import Clock
from realtime.draw import FaceOnShow
from realtime.settings import Face

log = logging.getLogger(__name__)

KEYS: Final = 9
PREDICTED_PART: Final = 0.3  # of a search's time, that setting the strengths of what is predicted takes
Find = Callable[[int, Path | None, Path, Any], None]
"""(seed, folder of networks or None, file to save to, a shared number that rises to 1); before, what is predicted may be saved to
`finished_file` of that file."""


class Faces:
    """The face on show and where the next one comes from.

    Raises `UserError` for a name that is not `seed:N`, and for a folder of networks that lacks one of those that steer.
    """

    def __init__(self, settings: Face, generator: MobileStyleGAN, clock: Clock, find: Find | None = None) -> None:
        """`find` runs in a process of its own and saves what it found: a function of some module's top level."""
        self._clock, self._find = clock, find or find_and_save
        self._bank = list(load_bank(generator.graph_hash).values())[:KEYS]
        self._search: _Search | None = None
        if settings.networks is not None:
            check_eyes(settings.networks)
        name = f"seed:{seed_of(settings.name)}" if settings.name else self._bank[0].name
        self._started = self._first(name, settings.networks, generator)
        self.on_show = FaceOnShow(self._started)

    @property
    def name(self) -> str:
        """Of the face on show."""
        return self.on_show.name

    @property
    def part(self) -> float | None:
        """How much of a search in the background is done, 0...1; None where there is none."""
        return None if self._search is None else self._search.background.part

    @property
    def index(self) -> int:
        """Place of the face on show in the bank, 0...8; -1 for any other."""
        return next((i for i, face in enumerate(self._bank) if face.name == self.name), -1)

    def choose(self, index: int) -> None:
        """Become number `index` (0...8) of the bank, or with -1 the face of the start; a number beyond the bank does nothing."""
        if index < len(self._bank):
            self.on_show.change(self._started if index < 0 else self._bank[index], self._clock.now())

    def step(self) -> None:
        """Take in what the search in the background found, if it has ended, or what it set the strengths of until then."""
        self._take_in(self._clock.now())

    def wait(self) -> None:
        """Until the search in the background has ended; what it found is shown without a fade, as if it had been there before."""
        if self._search is not None:
            log.info("finding the own expressions of %s, once", self._search.name)
            self._search.background.wait()
            self._take_in(float("-inf"))

    def close(self) -> None:
        """Give up a search that is still running."""
        if self._search is not None:
            self._search.background.close()

    def _take_in(self, t: float) -> None:
        if self._search is None:
            return
        if self._search.background.running:
            looked_at = self._search.predicted()
            if looked_at is not None:
                log.info("%s's predicted expressions have its own strengths now", looked_at.name)
                self._improve(looked_at, t)
            return
        search, self._search = self._search, None
        found, looked_at = search.found(), search.predicted()
        if found is None:
            log.warning("the search for the own expressions of %s failed; what was predicted stays", search.name)
            if looked_at is not None:  # the next show starts with it
                self._improve(looked_at, t)
        else:
            log.info("%s has its own expressions now", found.name)
            self._improve(found, t)

    def _improve(self, started: ExpressionPaths, t: float) -> None:
        """Better paths for the face of the start: at once where it is on show, else when it is chosen again."""
        if self.name == started.name:
            self.on_show.change(started, t)
        self._started = started

    def _first(self, name: str, networks: Path | None, generator: MobileStyleGAN) -> ExpressionPaths:
        for face in self._bank:
            if face.name == name:
                return face
        seed = seed_of(name)
        ws = generator.broadcast(generator.code_of_seed(seed))[0].numpy()
        stem = cache_folder("paths") / f"{generator.graph_hash[:16]}-{seed}"
        own, by_student = (Path(f"{stem}-{who}-{provenance(ws, PREDICTOR_FILE, who)}.safetensors") for who in WHO)
        for file, who in ((own, "networks of a folder"), (by_student, "our student")):
            if file.exists() and (networks is None or file == own):
                try:
                    found = load_paths(file, generator.graph_hash)[name]
                except (UserError, KeyError) as error:
                    log.warning("the kept expressions of %s can't be read and are searched anew: %s", name, error)
                    continue
                note_use(file)
                log.info("%s plays its own expressions, found before, steered by %s", name, who)
                return found
        try:
            steered_by = check_eyes(networks)
        except UserError as error:
            if networks is not None:
                raise
            log.info("%s plays predicted expressions, its own can't be searched: %s", name, error)
        else:
            log.info("%s plays predicted expressions while its own are searched, steered by %s", name, steered_by)
            file = by_student if networks is None else own
            looked_at = _strengths_set_before(finished_file(file), name, generator.graph_hash)
            self._search = _Search(self._find, name, seed, networks, file)
            if looked_at is not None:
                return looked_at
        return load_predictor(generator.graph_hash).paths(ws, name)


def _strengths_set_before(file: Path, name: str, generator_hash: str) -> ExpressionPaths | None:
    """What is predicted, its strengths set, where an earlier show kept it; a damaged file is taken away, to be made anew."""
    note_use(file)
    try:
        return load_paths(file, generator_hash)[name] if file.exists() else None
    except (UserError, KeyError) as error:
        log.warning("the kept strengths of %s can't be read and are set anew: %s", name, error)
        file.unlink(missing_ok=True)
        return None


def finished_file(found: Path) -> Path:
    """Where a search keeps what is predicted with strengths set, until its end; beside the file of what it found."""
    return found.with_name(f"{found.stem}-predicted.safetensors")


def seed_of(name: str) -> int:
    """N of `seed:N`. Raises `UserError` for any other name."""
    kind, _, number = name.partition(":")
    seed = seed_in(number)
    if kind != "seed" or seed is None:
        raise UserError(f"face {name[:30]!r} is not seed:N with N of 0...{LAST_SEED}; for example seed:1000")
    return seed


class _Search:
    """A search in the background, and what it leaves."""

    def __init__(self, find: Find, name: str, seed: int, networks: Path | None, file: Path) -> None:
        self.name, self.file = name, file
        self._taken = finished_file(file).exists()  # by the face that starts with it
        self.background = Background(find, seed, networks, file)

    def predicted(self) -> ExpressionPaths | None:
        """What is predicted and `finished`, once, when it is there."""
        file = finished_file(self.file)
        if self._taken or not file.exists():
            return None
        self._taken = True
        return self._read(file)

    def found(self) -> ExpressionPaths | None:
        return self._read(self.file)

    def _read(self, file: Path) -> ExpressionPaths | None:
        """None where there is no file, or one that is damaged: the show goes on with what it has."""
        try:
            return load_paths(file)[self.name] if file.exists() else None
        except (UserError, KeyError) as error:
            log.debug("%s", error)
            return None


def find_and_save(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    """Search the own paths of `seed:N`, steered as `open_eyes` says, and save them to `file`; `part`'s value rises to 1.

    First, in a third of the time, what is predicted is `finished` for this face and saved to `finished_file(file)`.
    """
    give_way()
    tell = telling(part)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="onnx2torch")  # of a future torch; nothing a performer can do about
    try:
        generator, eyes = quick_generator(quality="fine"), open_eyes(networks)
        if not finished_file(file).exists():
            ws = generator.broadcast(generator.code_of_seed(seed))[0].numpy()
            predicted = load_predictor(generator.graph_hash).paths(ws, f"seed:{seed}")
            predicted = finished(generator, ws, predicted, eyes, within(tell, 0.0, PREDICTED_PART))
            save_paths(finished_file(file), {predicted.name: predicted})
        face = find_paths(generator, seed, eyes, within(tell, PREDICTED_PART, 1.0))
        save_paths(file, {face.name: face})
    except UserError as error:
        sys.exit(f"error: {error}")
