"""Playing with an own generator: which picture is on show, keys, and searched expressions where there are some."""

from pathlib import Path

import numpy as np
import pytest
from reference_generators import reference_generator

from models.errors import UserError
from models.expression.paths import save_paths
from models.expression.walks import walk_paths
from models.labels import EMOTIONS
from realtime import walks
from realtime.clock import VirtualClock
from realtime.settings import Face
from realtime.walks import Walks

REST = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("neutral")]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(walks, "cache_folder", lambda name: tmp_path)
    return tmp_path


def test_keys_choose_the_seed_and_the_eight_after_it() -> None:
    generator = reference_generator("sg2-32")
    pictures = Walks(Face(name="seed:4294967294"), generator, VirtualClock())
    assert (pictures.name, pictures.index) == ("seed:4294967294", 0)
    pictures.choose(3)
    assert (pictures.name, pictures.index) == ("seed:1", 3)
    pictures.choose(-1)
    assert pictures.index == 0
    pictures.step()
    pictures.wait()
    pictures.close()


def test_what_is_drawn_at_rest_is_the_seed_truncated_as_asked() -> None:
    generator = reference_generator("sg2-32")
    ws = Walks(Face(truncation=0.5), generator, VirtualClock()).on_show.ws(0.0, REST, 1.0, {})
    assert np.allclose(ws, generator.broadcast(generator.code_of_seed(0, psi=0.5)))


def test_expressions_that_were_searched_for_this_generator_are_played(cache: Path) -> None:
    generator = reference_generator("sg2-32")
    face = walk_paths(generator, 9)
    searched = type(face)(face.neutral, 2 * face.paths, face.rig, face.generator_hash, face.name)
    save_paths(cache / f"{generator.graph_hash[:16]}-9.safetensors", {"seed:9": searched})
    happy = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")]
    ws = Walks(Face(name="seed:9"), generator, VirtualClock()).on_show.ws(0.0, happy, 1.0, {})
    assert np.allclose(ws, searched.blend(happy), atol=2e-3)


def test_expressions_of_another_generator_are_refused_in_one_line(cache: Path) -> None:
    own, other = reference_generator("sg2-32"), reference_generator("sg3t-32")
    save_paths(cache / f"{own.graph_hash[:16]}-0.safetensors", {"seed:0": walk_paths(other, 0)})
    with pytest.raises(UserError, match=f"belongs to the generator {other.graph_hash[:12]}"):
        Walks(Face(), own, VirtualClock())


def test_expressions_of_another_seed_are_refused_in_one_line(cache: Path) -> None:
    generator = reference_generator("sg2-32")
    save_paths(cache / f"{generator.graph_hash[:16]}-3.safetensors", {"seed:9": walk_paths(generator, 9)})
    with pytest.raises(UserError, match=r"expressions of seed:3, it holds seed:9"):
        Walks(Face(), generator, VirtualClock())


def test_a_face_that_is_no_seed_is_refused() -> None:
    with pytest.raises(UserError, match="seed:N"):
        Walks(Face(name="mona lisa"), reference_generator("sg2-32"), VirtualClock())


def test_a_search_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave it away with --generator"):
        Walks(Face(networks=tmp_path), reference_generator("sg2-32"), VirtualClock())
