"""Faces on a Ray cluster of this machine's own: every one comes back, and a user's mistake in a worker stays one line here."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import UserError
from models.expression.paths import ExpressionPaths
from tools import search_cluster
from tools.search_cluster import HERE, Source, searched_on_ray

DEFAULT: Source = (None, None)

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the package ray (the extra ray)")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers make up what they should search: a face whose code tells what they were given. Face 13 can't be found."""

    def search(
        seed: int, networks: Path, predictor_file: Path, source: Source
    ) -> tuple[int, ExpressionPaths | UserError]:  # local, so that it travels as code
        if seed == 13:
            return seed, UserError("a face was expected in the picture, none was found: take another face")
        told = np.full((2, 4), float(seed + len(networks.name) + len(predictor_file.name)), np.float32)
        return seed, ExpressionPaths(told, np.zeros((5, 3, 2, 4), np.float32), {}, "hash", f"seed:{seed}")

    monkeypatch.setattr(search_cluster, "_search", search)


@needs_ray
@pytest.mark.usefixtures("pretended")
def test_every_face_comes_back_with_what_it_was_searched_with(tmp_path: Path) -> None:
    found = list(searched_on_ray(HERE, [3, 1, 2], tmp_path / "networks", tmp_path / "predictor", DEFAULT))
    assert {face.name: float(face.neutral[0, 0]) for _, face in found if isinstance(face, ExpressionPaths)} == {
        "seed:1": 18.0,
        "seed:2": 19.0,
        "seed:3": 20.0,
    }


@needs_ray
@pytest.mark.usefixtures("pretended")
def test_a_face_that_is_not_found_does_not_end_the_others(tmp_path: Path) -> None:
    found = dict(searched_on_ray(HERE, [1, 13, 2], tmp_path, tmp_path, DEFAULT))
    assert str(found[13]) == "a face was expected in the picture, none was found: take another face"
    assert all(isinstance(found[seed], ExpressionPaths) for seed in (1, 2))


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_named_at_once(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no Ray cluster answers at '{address}'"):
        list(searched_on_ray(address, [1], tmp_path, tmp_path, DEFAULT))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else sys.modules[name].__spec__)
    with pytest.raises(UserError, match="pip install"):
        list(searched_on_ray(HERE, [1], tmp_path, tmp_path, DEFAULT))
