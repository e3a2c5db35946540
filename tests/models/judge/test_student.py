"""The student: it steers as the networks it learnt from do, from one file that everybody has."""

from pathlib import Path

import pytest
import torch

from models.errors import UserError
from models.expression.bank import load_bank
from models.expression.paths import ExpressionPaths
from models.expression.preview import full_picture
from models.judge.landmarks import BLENDSHAPES, SIDED_BLENDSHAPES
from models.judge.steer import STILL, Jitter, Steering, View
from models.judge.student import SIDE, WEIGHTS_FILE, Seen, Student, StudentSteering, load_student
from models.labels import EMOTIONS
from models.stylegan.default import GRAPH_HASH, load_default_generator
from models.stylegan.mobile import MobileStyleGAN

VIEW = View(0.5, 0.545, 0.68, 0.0)


class Mesh(torch.nn.Module):
    """Every point in the middle of the crop, moved by its mean."""

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (crop.mean() + torch.full((1, 1, 1, 1434), 128.0),)


class Blendshapes(torch.nn.Module):
    """Every score as large as the first point lies to the right, but one side's smile, which is twice as large."""

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, ...]:
        scores = points[0, 0, 0].repeat(52)
        scores[BLENDSHAPES.index("mouthSmileLeft")] *= 2
        return (scores,)


@pytest.fixture(scope="module")
def steering() -> Steering:
    return StudentSteering(load_student(), Mesh(), Blendshapes())


def test_sides_are_told_apart(steering: Steering) -> None:
    sides = steering.sides(torch.full((478, 2), 0.25))
    assert dict(zip(SIDED_BLENDSHAPES, sides.tolist(), strict=True)) == {
        name: 0.25 if name == "mouthSmile" else 0.0 for name in SIDED_BLENDSHAPES
    }


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


def drawn(generator: MobileStyleGAN, face: ExpressionPaths, emotion: str) -> torch.Tensor:
    weights = torch.eye(5)[EMOTIONS.index(emotion)].numpy()
    return full_picture(generator, torch.from_numpy(face.blend(weights)))


def test_it_is_small() -> None:
    assert sum(parameter.numel() for parameter in load_student().parameters()) < 1_500_000
    assert WEIGHTS_FILE.stat().st_size < 6_000_000


def test_it_reads_shipped_expressions_and_knows_the_person(generator: MobileStyleGAN, steering: Steering) -> None:
    bank = load_bank(GRAPH_HASH)
    right = []
    for name in ("seed:1002", "seed:1043", "seed:1125"):
        pictures = {emotion: drawn(generator, bank[name], emotion) for emotion in EMOTIONS}
        for emotion, picture in pictures.items():
            seen = steering.expression(picture, VIEW, [*STILL, Jitter(0.02, -0.02, 1.04, True)]).exp().mean((0, 1))
            right.append(int(seen.argmax()) == EMOTIONS.index(emotion))
        people = {emotion: steering.person(picture, VIEW).embedding for emotion, picture in pictures.items()}
        other = steering.person(drawn(generator, bank["seed:1031"], "neutral"), VIEW).embedding
        assert people["happy"] @ people["neutral"] > other @ people["neutral"] + 0.1
    assert sum(right) >= 12


def test_every_answer_has_a_gradient_that_reaches_the_picture(generator: MobileStyleGAN, steering: Steering) -> None:
    picture = drawn(generator, load_bank(GRAPH_HASH)["seed:1002"], "neutral").requires_grad_()
    verdicts, person = steering.expression(picture, VIEW, STILL), steering.person(picture, VIEW)
    assert verdicts.shape == (2, 1, len(EMOTIONS))
    assert torch.allclose(verdicts.exp().sum(-1), torch.ones(2, 1), atol=1e-4)
    assert person.embedding.norm().item() == pytest.approx(1, abs=1e-4)
    assert 0 <= person.man.item() <= 1
    points = steering.points(picture, VIEW)
    assert points.shape == (478, 2)
    for answer in (verdicts[0, 0, 0], verdicts[1, 0, 0], person.embedding.sum(), person.age, person.man, points.sum()):
        (gradient,) = torch.autograd.grad(answer, picture, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


def test_a_mirrored_crop_is_read_as_the_mirrored_picture(generator: MobileStyleGAN, steering: Steering) -> None:
    picture = drawn(generator, load_bank(GRAPH_HASH)["seed:1043"], "fear")
    mirrored = steering.expression(picture, VIEW, [Jitter(mirrored=True)])
    assert torch.allclose(mirrored, steering.expression(picture.flip(3), VIEW), atol=1e-3)


def test_an_untrained_student_answers_in_the_right_shapes() -> None:
    seen: Seen = Student().eval()(torch.rand(3, 3, SIDE, SIDE))
    assert [tuple(value.shape) for value in seen] == [(3, 2, 5), (3, 128), (3,), (3,)]


def test_missing_and_foreign_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected at .*nothing\.safetensors.*tools\.train_student"):
        load_student(tmp_path / "nothing.safetensors")
    with pytest.raises(UserError, match="student"):
        load_student(WEIGHTS_FILE.parents[2] / "expression" / "weights" / "directions.safetensors")
