"""Faces searched side by side by Ray: one on each core of this machine, or of every machine of a cluster.

Every machine of a cluster needs this version of the project with the extra `ray`, and the networks, the predictor and an own
generator with what was learnt of it in the same folders as here; without a folder of networks our own student steers, which every
machine has. Ray is only imported when it is asked for.
"""

import importlib.util
import os
import socket
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import torch

from engine.drawn import DrawnGenerator, quick_generator
from models.errors import UserError
from models.expression.find import find_paths
from models.expression.own_generator import known_predictor
from models.expression.paths import ExpressionPaths
from models.judge.eyes import open_eyes
from tools.chosen_generator import chosen_generator

HERE: Final = "local"  # Ray's address of a cluster that is started on this machine and ends with the search
PATIENCE: Final = 5.0  # seconds

Source = tuple[Path | None, int | None]
"""An own generator, none is the default one, and its class."""


def searched_on_ray(
    address: str, seeds: Sequence[int], networks: Path | None, predictor_file: Path | None, source: Source
) -> Iterator[tuple[int, ExpressionPaths | UserError]]:
    """Seeds and the paths of the faces `seed:N`, each as soon as it is found, the same ones that `find_paths` finds here; or why
    there are none. Raises `UserError` where Ray is missing or can't be reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError("a search on a cluster needs the package ray, it is not installed: pip install 'ray>=2.60'")
    _reach(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers unless told not to
    import ray

    try:
        ray.init(address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:  # "auto" without a cluster, an address that is none
        raise UserError(
            f"no Ray cluster answers at '{address}' ({error}): start one with ray start --head, or give no address"
        ) from error
    try:
        find = ray.remote(num_cpus=1)(_search)
        path, label = source
        files = [file and file.resolve() for file in (networks, predictor_file)]
        given = (*files, (path and path.resolve(), label))
        waiting = [find.remote(seed, *given) for seed in seeds]
        while waiting:
            finished, waiting = ray.wait(waiting)
            yield from ray.get(finished)
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raises `UserError` where nothing listens at host:port, which Ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at '{address}' ({error}): start one with ray start --head") from error


def _search(
    seed: int, networks: Path | None, predictor_file: Path | None, source: Source
) -> tuple[int, ExpressionPaths | UserError]:
    try:
        generator = _generator(source)
        return seed, find_paths(generator, seed, _eyes(networks), predictor=known_predictor(generator, predictor_file))
    except UserError as error:  # raised, it would end the others
        return seed, error


_eyes = cache(open_eyes)


@cache
def _generator(source: Source) -> DrawnGenerator:
    """One for all faces that a worker searches."""
    torch.set_num_threads(1)
    path, label = source
    return quick_generator(chosen_generator(Namespace(generator=path, label=label)), "fine")
