"""Which picture plays with a generator of the user's own: `seed:N` and the eight seeds after it, keys 1...9, the first on 0."""

import logging
from pathlib import Path
from typing import Final

from models.errors import UserError
from models.expression.paths import ExpressionPaths, load_paths
from models.expression.walks import walk_paths
from models.files import cache_folder
from models.stylegan.generator import Generator
from realtime.clock import Clock
from realtime.draw import FaceOnShow
from realtime.faces import seed_of
from realtime.settings import Face

log = logging.getLogger(__name__)

KEYS: Final = 9


class Walks:
    """Does for an own generator what `realtime.faces.Faces` does for the default one.

    A seed whose expressions were searched for this very generator plays them; any other walks (`models.expression.walks`).
    Raises `UserError` for a name that is not `seed:N`, and for networks to search with: they know the default generator only.
    """

    def __init__(self, settings: Face, generator: Generator, clock: Clock) -> None:
        self._clock = clock
        if settings.networks is not None:
            raise UserError("--networks searches expressions for the generator that ships; leave it away with --generator")
        first = seed_of(settings.name or "seed:0")
        seeds = [(first + key) % 2**32 for key in range(KEYS)]
        if not _searched(generator, first).exists():
            log.info(
                "expressions belong to one generator, and none were searched for this one: each emotion leads towards another "
                "of its pictures instead (docs/generators.md)"
            )
        self._bank = [_paths(generator, seed, settings.truncation) for seed in seeds]
        self.on_show = FaceOnShow(self._bank[0])

    @property
    def name(self) -> str:
        """Of the picture on show."""
        return self.on_show.name

    @property
    def index(self) -> int:
        """Place of the picture on show, 0...8."""
        return next(i for i, face in enumerate(self._bank) if face.name == self.name)

    def choose(self, index: int) -> None:
        """Become number `index` (0...8); -1 is the picture of the start, which is number 0."""
        self.on_show.change(self._bank[max(index, 0)], self._clock.now())

    def step(self) -> None:
        """Nothing is searched in the background."""

    def wait(self) -> None:
        """Nothing is searched in the background."""

    def close(self) -> None:
        """Nothing is held."""


def _searched(generator: Generator, seed: int) -> Path:
    """Where the searched expressions of a seed lie, if there are any."""
    return cache_folder("paths") / f"{generator.graph_hash[:16]}-{seed}.safetensors"


def _paths(generator: Generator, seed: int, psi: float) -> ExpressionPaths:
    searched, name = _searched(generator, seed), f"seed:{seed}"
    if not searched.exists():
        return walk_paths(generator, seed, psi)
    found = load_paths(searched, generator.graph_hash)
    if name not in found:
        raise UserError(f"{searched} should hold the expressions of {name}, it holds {', '.join(found)}: rename or remove it")
    return found[name]
