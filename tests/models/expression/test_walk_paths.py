"""Walks: the paths of a generator that nobody searched expressions for."""

import numpy as np
from reference_generators import reference_generator

from models.expression.walks import NUDGES, walk_paths
from models.labels import EMOTIONS, NEUTRAL


def test_every_emotion_leads_somewhere_of_its_own_and_neutral_nowhere() -> None:
    generator = reference_generator("sg2-32")
    face = walk_paths(generator, 7)
    w = generator.broadcast(generator.code_of_seed(7))[0].numpy()
    assert face.name == "seed:7"
    assert face.generator_hash == generator.graph_hash
    assert np.array_equal(face.neutral, w)
    assert not face.paths[NEUTRAL].any()
    ways = [face.paths[index, -1] for index in range(len(EMOTIONS)) if index != NEUTRAL]
    lengths = [float(np.linalg.norm(way)) for way in ways]
    assert min(lengths) > 0.5
    cosines = [float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b)) for a in ways for b in ways if a is not b]
    assert max(cosines) < 0.95
    assert face.rig.keys() == NUDGES.keys()
    assert not face.rig["blink"].any()


def test_walks_are_the_same_every_time_and_no_two_seeds_share_them() -> None:
    generator = reference_generator("sg3t-32")
    first, again, other = walk_paths(generator, 1), walk_paths(generator, 1), walk_paths(generator, 2)
    assert np.array_equal(first.paths, again.paths)
    assert not np.allclose(first.paths, other.paths, atol=0.01)


def test_truncation_pulls_the_picture_and_its_ways_together() -> None:
    generator = reference_generator("sg2-32")
    wide, narrow = (walk_paths(generator, 3, psi) for psi in (1.0, 0.3))
    assert np.linalg.norm(narrow.paths) < 0.5 * np.linalg.norm(wide.paths)
    assert np.allclose(walk_paths(generator, 3, 0.0).neutral, generator.w_avg.numpy())
