"""Pictures for training the student (`tools/train_student.py`): drawn faces, and what the steering networks see in them.

Each face is drawn `EACH` times: at rest, as it comes, single emotions from a hint to a caricature, mixtures, the rig on top, and
codes pushed off the way as a search pushes them. Kept are the face's crop and the verdicts, in files of `FACES` faces; files
that are there are not made again.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.choose import open_backend
from engine.drawn import quick_generator
from models.errors import UserError
from models.expression.bank import load_predictor
from models.expression.find import find_paths
from models.expression.paths import ExpressionPaths
from models.expression.preview import as_bytes
from models.files import written_beside
from models.judge.eyes import students_eyes
from models.judge.face_mesh import MeshDetector, load_blendshapes, load_mesh
from models.judge.measure import Compiled, Detector
from models.judge.networks import FACEAPI_CLASSES, FER_CLASSES
from models.judge.steer import STILL, Jitter, Person, Steering, View, expression_crops, person_crop, sample
from models.judge.student import StudentSteering, load_student
from models.labels import EMOTIONS
from models.stylegan.mobile import MobileStyleGAN

FIRST_SEED: Final = 100_000  # none of these faces is ever judged
FIRST_SEARCHED: Final = 150_000
SEARCHED_SHARE: Final = 0.7  # of the pictures that the student is shown on a search, kept
FACES: Final = 25  # in a file
EACH: Final = 8
CROP: Final = 168  # pixels of a crop's side
MARGIN: Final = 1.4  # face boxes of a crop's side: room for shifted crops of the student's margin
PUSHED: Final = slice(1, 13)  # rows that a search moves


def random_codes(generator: MobileStyleGAN, face: ExpressionPaths, as_it_comes: Tensor, random: np.random.RandomState) -> Tensor:
    """(EACH, num_ws, 512): one face in many states; the first is at rest."""
    states = [face.blend(np.zeros(len(EMOTIONS)))]
    comes = as_it_comes.numpy()
    states.append(comes + np.float32(random.uniform(-0.2, 0.9)) * (states[0] - comes))
    for number in range(2, EACH):
        weights = np.zeros(len(EMOTIONS))
        if number < 5:
            weights[random.randint(len(EMOTIONS))] = random.uniform(0.2, 1.5)
        else:
            pair = random.choice(len(EMOTIONS), 2, replace=False)
            weights[pair] = random.dirichlet((1, 1)) * random.uniform(0.4, 1.5)
        rig = {}
        if random.rand() < 0.5:
            for control in random.choice(sorted(face.rig), random.randint(1, 4), replace=False):
                rig[control] = random.uniform(0, 1) if control in ("mouth_open", "blink") else random.uniform(-1, 1)
        states.append(face.blend(weights, rig=rig))
    codes = torch.from_numpy(np.concatenate(states))
    for code in codes[2:]:
        if random.rand() < 0.4:
            z = torch.from_numpy(random.randn(24, generator.z_dim)).float()
            first, second = generator.mapping(z).chunk(2)
            one = random.rand()  # of one direction for all rows, the rest each row's own
            push = one * (first[:1] - second[:1]) + (1 - one) * (first - second)
            code[PUSHED] += float(random.uniform(0.02, 0.12)) * push
    return codes


class Teachers:
    """The networks whose answers the student learns, without gradients and so three times as fast as `PublishedNetworks`."""

    def __init__(self, folder: Path) -> None:
        """Raises `UserError` where one is missing."""
        self._faceapi, self._gear, self._faceres = (Compiled(folder, name) for name in ("faceapi", "gear_e2", "faceres"))

    def label(self, picture: Tensor, view: View, random: np.random.RandomState) -> dict[str, Tensor]:
        """A picture (1, 3, side, side) as the student learns from it: the crop, two jitters, and the verdicts.

        crop (CROP, CROP, 3) bytes; jitters (2, 4): dx, dy, scale, mirrored, the first is none; verdicts (2, 2, 5): jitters,
        networks, log-probabilities; embedding (1024,), age, man: of the crop without jitter.
        """
        dx, dy = random.uniform(-0.05, 0.05, 2).tolist()
        jitters = (*STILL, Jitter(dx, dy, float(random.uniform(0.9, 1.1)), bool(random.randint(2))))
        colour, grey = expression_crops(picture, view, jitters)
        faceapi, gear = self._faceapi(colour.numpy()), self._gear(grey.numpy())
        verdicts = torch.stack([_forced(faceapi, FACEAPI_CLASSES), _forced(gear, FER_CLASSES)], dim=1)
        embedding, age, man = (torch.from_numpy(answer[0]) for answer in self._faceres(person_crop(picture, view).numpy()))
        return {
            "crop": torch.from_numpy(as_bytes(sample(picture, view.matrix(MARGIN)[None], CROP))),
            "jitters": torch.tensor([[*jitter] for jitter in jitters], dtype=torch.float32),
            "verdicts": verdicts,
            "embedding": F.normalize(embedding, dim=0).half(),
            "age": age @ torch.arange(100.0),
            "man": man[0],
        }


def _forced(answers: list[NDArray[np.float32]], classes: Sequence[str]) -> Tensor:
    """(n, 5) log-probabilities of probabilities of seven classes, (n, 7)."""
    five = torch.from_numpy(answers[0][:, [classes.index(emotion) for emotion in EMOTIONS]])
    return (five + 1e-9).log().log_softmax(1)


def save_labelled(path: Path, rows: Sequence[dict[str, Tensor]], faces: Sequence[int]) -> None:
    """Pictures of one file; `faces` says which person each one shows. Raises `UserError` where it can't be written."""
    tensors = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    with written_beside(path) as beside:
        save_file({**tensors, "face": torch.tensor(faces)}, beside)


def load_labelled(folder: Path) -> dict[str, Tensor]:
    """All pictures of a folder, by name as in `Teachers.label`, and `face`. Raises `UserError` where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"pictures for the student were expected in {folder}, there are none: name another --work")
    parts = [load_file(file) for file in files]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def draw_files(
    generator: MobileStyleGAN, networks: Path, folder: Path, files: int, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Draw and label what is missing of `files` files. About 0.08 s a picture on one core. Raises `UserError`."""
    wanted = [folder / f"drawn_{number:04}.safetensors" for number in range(files)]
    if all(path.exists() for path in wanted):
        return
    folder.mkdir(parents=True, exist_ok=True)
    teachers, detect = Teachers(networks), Detector(networks)
    for number, path in enumerate(wanted):
        if path.exists():
            continue
        rows, faces = [], []
        backend = open_backend(generator, 256, quality="fast" if number % 3 else "fine")
        for seed in range(FIRST_SEED + number * FACES, FIRST_SEED + (number + 1) * FACES):
            for row in _face(generator, backend.render, teachers, detect, seed):
                rows.append(row)
                faces.append(seed)
        save_labelled(path, rows, faces)
        tell(f"{path.name}: {len(rows)} pictures")


def _face(
    generator: MobileStyleGAN,
    render: Callable[[NDArray[np.float32]], NDArray[np.uint8]],
    teachers: Teachers,
    detect: Detector,
    seed: int,
) -> Iterator[dict[str, Tensor]]:
    random = np.random.RandomState(seed)
    as_it_comes = generator.broadcast(generator.code_of_seed(seed, float(random.uniform(0.55, 0.85)))).clone()
    face = load_predictor(generator.graph_hash).paths(as_it_comes[0].numpy(), f"seed:{seed}")
    view: View | None = None
    for ws in random_codes(generator, face, as_it_comes, random):
        picture = render(ws[None].numpy())
        if view is None:
            try:
                found = View.of(detect(picture), picture.shape[0])
            except UserError:
                return
            x, y, size = random.normal(0, 0.01, 3).tolist()  # another detector's box lies a little differently
            view = View(found.x + x, found.y + y, found.side * (1 + size), found.roll)
        yield teachers.label(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255, view, random)


class Recorder:
    """Steers as `steering` does, and keeps some of the pictures it is shown."""

    def __init__(self, steering: Steering, random: np.random.RandomState, share: float) -> None:
        self._steering, self._random, self._share = steering, random, share
        self.kept: list[tuple[Tensor, View]] = []

    def expression(self, image: Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> Tensor:
        """As `Steering`."""
        return self._steering.expression(image, view, jitters)

    def person(self, image: Tensor, view: View) -> Person:
        """As `Steering`."""
        if self._random.rand() < self._share:
            self.kept.append((image.detach().clamp(0, 1), view))
        return self._steering.person(image, view)

    def points(self, image: Tensor, view: View) -> Tensor:
        """As `Steering`."""
        return self._steering.points(image, view)

    def sides(self, points: Tensor) -> Tensor:
        """As `Steering`."""
        return self._steering.sides(points)


def search_files(student: Path, networks: Path, folder: Path, faces: int, tell: Callable[[str], None] = lambda _: None) -> None:
    """Search what is missing of `faces` faces, steered by the student, and label what it was shown on the way.

    A file for each face: pictures of walks and full ones. Raises `UserError`.
    """
    seeds = range(FIRST_SEARCHED, FIRST_SEARCHED + faces)
    missing = [seed for seed in seeds if not (folder / f"searched_{seed}.safetensors").exists()]
    if not missing:
        return
    generator, teachers, mesh = quick_generator(), Teachers(networks), load_mesh()
    detect = MeshDetector(mesh)
    for seed in missing:
        random = np.random.RandomState(seed)
        recorder = Recorder(StudentSteering(load_student(student), mesh, load_blendshapes()), random, SEARCHED_SHARE)
        try:
            find_paths(generator, seed, students_eyes(recorder, detect))
        except UserError:
            continue  # no face in the picture
        rows = [teachers.label(picture, view, random) for picture, view in recorder.kept]
        save_labelled(folder / f"searched_{seed}.safetensors", rows, [seed] * len(rows))
        tell(f"seed:{seed} searched: {len(rows)} pictures")
