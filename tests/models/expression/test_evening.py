"""Evening out: left and right and turns of the head, on a generator and networks of known nature and on the real ones."""

from dataclasses import replace

import numpy as np
import pytest
import shared_data
import torch
from face_meshes import mesh
from hypothesis import given
from hypothesis import strategies as st
from painted_faces import EYES, NUM_WS, PARTS, ROWS, WHO, WIDTH, Painted, Reads, stripes
from torch import Tensor

from models.expression import evening
from models.expression.bank import load_predictor
from models.expression.evening import EVEN, IRIS, LEVEL, LONGEST, colours, evened, least_change
from models.expression.geometry import turned_from
from models.expression.paths import ExpressionPaths
from models.expression.preview import as_bytes, full_picture
from models.expression.rows import COARSE
from models.judge import networks
from models.judge.eyes import Eyes, open_eyes
from models.judge.landmarks import LEFT_EYE_OUTLINE, POSE_POINTS, RIGHT_EYE_OUTLINE, SKIN
from models.judge.steer import Person, View
from models.judge.verdict import Judge, lopsided
from models.labels import EMOTIONS, NEUTRAL
from models.stylegan.default import load_default_generator

UNEVEN, TURNING = WHO + 1, WHO + 2


class Sided(Reads):
    """A face whose left is raised by one stripe, and whose head turns by another."""

    def person(self, image: Tensor, view: View) -> Person:
        raise AssertionError("nothing is asked of a person")

    def points(self, image: Tensor, view: View) -> Tensor:
        seen = stripes(image)
        moved = torch.zeros(478, 2)
        moved[next(iter(POSE_POINTS)), 0] = 1.0  # the tip of the nose to the side
        return mesh() + 0.8 * seen[TURNING] * moved + torch.nn.functional.pad(seen[UNEVEN].view(1, 1), (1, 0, 477, 0))

    def sides(self, points: Tensor) -> Tensor:
        return torch.stack([points[477, 1] - mesh()[477, 1], torch.zeros(())])


SIDED = Eyes(Sided(), EYES.detect)


@pytest.fixture
def a_painted_face_may_move_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stripe's brightness is on another scale than a drawn face's code."""
    monkeypatch.setattr(evening, "LONGEST", 9.0)


def painted(uneven: float, end: dict[int, float]) -> ExpressionPaths:
    """A face that is that uneven at rest, and an anger that moves these stripes, by half of it at the first of two knots."""
    neutral = np.zeros((NUM_WS, WIDTH), np.float32)
    neutral[:, UNEVEN] = 2 * uneven  # brightness is half of a code
    paths = np.zeros((len(EMOTIONS), 2, NUM_WS, WIDTH), np.float32)
    for stripe, by in end.items():
        paths[EMOTIONS.index("angry"), :, :, stripe] = np.array([by, 2 * by])[:, None]
    still = np.zeros_like(neutral)
    return ExpressionPaths(neutral, paths, {"mouth_open": still, "blink": still}, Painted.graph_hash, "seed:1")


def sides_of(code: np.ndarray) -> float:
    picture = full_picture(Painted(), torch.from_numpy(code)[None])
    return float(SIDED.steering.sides(SIDED.steering.points(picture, View(0.5, 0.5, 0.5, 0.0)))[0])


@pytest.mark.usefixtures("a_painted_face_may_move_far")
def test_a_face_is_even_at_rest_and_in_each_emotion_and_nothing_else_moves() -> None:
    face = painted(0.2, {UNEVEN: 0.2, 0: 0.4})
    assert sides_of(face.neutral) == pytest.approx(0.2, abs=0.03)  # stripes are no whole pixels
    even = evened(Painted(), face, SIDED)
    angry = even.paths[EMOTIONS.index("angry")]
    assert abs(sides_of(even.neutral)) <= EVEN
    assert abs(sides_of(even.neutral + angry[1])) <= EVEN
    changed = (even.neutral != face.neutral).any(1)
    assert changed[ROWS].all()
    assert changed.sum() == ROWS.stop - ROWS.start
    coarse = slice(ROWS.start + COARSE)
    assert np.array_equal(angry[:, coarse], face.paths[EMOTIONS.index("angry"), :, coarse]), "emotions leave these rows alone"
    assert np.allclose(even.neutral[:, 0], face.neutral[:, 0], atol=1e-4)
    assert np.allclose(angry[..., 0], face.paths[EMOTIONS.index("angry"), ..., 0], atol=1e-4), "the expression itself stays"
    assert np.allclose(angry[0], angry[1] / 2, atol=1e-6), "knots share in the step"
    assert not even.paths[NEUTRAL].any()
    assert all(np.array_equal(even.rig[name], offset) for name, offset in face.rig.items())


def test_a_face_that_is_even_stays_as_it_is() -> None:
    face = painted(0.5 * EVEN, {0: 0.4})
    even = evened(Painted(), face, SIDED)
    assert np.array_equal(even.neutral, face.neutral)
    assert np.array_equal(even.paths, face.paths)


@pytest.mark.usefixtures("a_painted_face_may_move_far")
def test_an_emotion_turns_the_head_no_more_than_a_little() -> None:
    face = painted(0.0, {TURNING: 0.2})

    def turn(face: ExpressionPaths) -> float:
        codes = [face.neutral, face.neutral + face.paths[EMOTIONS.index("angry"), -1]]
        view = View(0.5, 0.5, 0.5, 0.0)
        meshes = [SIDED.steering.points(full_picture(Painted(), torch.from_numpy(code)[None]), view) for code in codes]
        return float(turned_from(meshes[0])(meshes[1]).abs().max())

    assert turn(face) > 2 * LEVEL
    assert turn(evened(Painted(), face, SIDED)) < 1.2 * LEVEL  # its preview is fitted


@pytest.mark.usefixtures("a_painted_face_may_move_far")
def test_irises_and_skin_keep_their_colour() -> None:
    """An anger that brightens the stripes of both cheeks and of the forehead, in which half of each iris lies too."""
    face = painted(0.0, {int(PARTS * float(mesh()[list(patch), 0].mean())): 0.2 for patch in SKIN})

    def changed(face: ExpressionPaths) -> list[float]:
        codes = [face.neutral, face.neutral + face.paths[EMOTIONS.index("angry"), -1]]
        seen = [colours(full_picture(Painted(), torch.from_numpy(code)[None]), mesh()) for code in codes]
        return [float((after - before).abs().max()) for before, after in zip(*seen, strict=True) if before is not None]

    assert len(changed(face)) == 1 + len(SKIN)
    assert min(changed(face)) > 2 * IRIS
    assert all(change < 1.5 * IRIS for change in changed(evened(Painted(), face, SIDED)))


@pytest.mark.usefixtures("a_painted_face_may_move_far")
def test_eyes_that_open_on_the_way_do_not_confuse_it() -> None:
    """A head that turns, with its eyes closed as long as it is turned far: their colour is seen only from the second step on."""

    class Closing(Sided):
        def points(self, image: Tensor, view: View) -> Tensor:
            points = super().points(image, view).clone()
            if float(stripes(image.detach())[TURNING]) > 0.1:
                points[list(RIGHT_EYE_OUTLINE + LEFT_EYE_OUTLINE), 1] = 0.46
            return points

    face = painted(0.0, {TURNING: 0.2, 12: 0.4})  # half of the left iris lies in stripe 12
    even = evened(Painted(), face, Eyes(Closing(), EYES.detect))
    before, after = (one.paths[EMOTIONS.index("angry"), -1, ROWS].mean(0) for one in (face, even))
    assert abs(after[TURNING]) < before[TURNING] / 4
    assert after[12] < 0.9 * before[12]
    others = [stripe for stripe in range(PARTS) if stripe not in (TURNING, 12)]
    assert np.allclose(after[others], 0, atol=0.03), "nothing else moves"


def test_a_face_that_is_very_uneven_stays_near() -> None:
    face = painted(2.0, {WHO: 1.0})
    assert np.linalg.norm(evened(Painted(), face, SIDED).neutral - face.neutral) == pytest.approx(LONGEST, rel=1e-3)


@given(st.integers(1, 5), st.integers(0, 2**31 - 1), st.floats(1e-3, 1e3))
def test_the_least_change_does_what_is_asked(k: int, seed: int, size: float) -> None:
    random = torch.Generator().manual_seed(seed)
    slopes = torch.randn(k, 50, generator=random) / 50**0.5
    excess = size * torch.randn(k, generator=random)
    vector = least_change(slopes, excess)
    assert torch.allclose(slopes @ vector, excess, atol=0.05 * float(excess.abs().max()))
    assert torch.isfinite(least_change(torch.cat([slopes, slopes]), torch.cat([excess, excess]))).all(), "the same asked twice"


def test_a_real_face_becomes_even() -> None:
    """Seed 2003 holds his head aslant; by the judge's own mesh, in pictures four times as large as those that are evened out."""
    absent = networks.missing(shared_data.NETWORKS, networks.names("judge", "geometry"))
    if absent:
        pytest.skip(f"needs the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    generator, eyes, judge = load_default_generator(), open_eyes(None), Judge(shared_data.NETWORKS)
    ws = generator.broadcast(generator.code_of_seed(2003))
    face = load_predictor().paths(ws[0].numpy(), "seed:2003")
    only_angry = np.zeros_like(face.paths)
    only_angry[EMOTIONS.index("angry")] = face.paths[EMOTIONS.index("angry")]
    face = replace(face, paths=only_angry)

    def uneven(face: ExpressionPaths) -> list[float]:
        codes = [face.neutral, face.neutral + face.paths[EMOTIONS.index("angry"), -1]]
        read = [judge.read(as_bytes(full_picture(generator, torch.from_numpy(code)[None], 512))) for code in codes]
        return [max(map(abs, lopsided(one.blendshapes).values())) for one in read]

    before, after = uneven(face), uneven(evened(generator, face, eyes))
    assert max(after) < max(before)
    assert max(after) < 0.15
