"""Somebody else's classifier for tests: a tiny ONNX file that hears loudness."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.helper as oh
from onnx import TensorProto

LABELS: Final = ["surprise", "ang", "hap", "calm"]


def write(
    path: Path, beside: dict[str, Any] | None = None, shape: tuple[Any, ...] = (1, "samples"), kind: int = TensorProto.FLOAT
) -> Path:
    """Logits of LABELS: angry where the sound is louder than -26 dB full scale, else happy."""
    loudness = np.array([[0.0], [5e4], [-5e4], [0.0]], np.float32)
    middle = np.array([-30.0, -125.0, 125.0, -30.0], np.float32)
    nodes = [
        oh.make_node("Cast", ["sound"], ["x"], to=TensorProto.FLOAT),
        oh.make_node("Mul", ["x", "x"], ["power"]),
        oh.make_node("ReduceMean", ["power"], ["mean"], axes=[1], keepdims=1),
        oh.make_node("Gemm", ["mean", "loudness", "middle"], ["logits"], transB=1),
    ]
    constants = [onnx.numpy_helper.from_array(loudness, "loudness"), onnx.numpy_helper.from_array(middle, "middle")]
    sound = oh.make_tensor_value_info("sound", kind, shape)
    logits = oh.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 4))
    model = oh.make_model(oh.make_graph(nodes, "loudness", [sound], [logits], constants), opset_imports=[oh.make_opsetid("", 13)])
    model.ir_version = 8
    if beside is None:
        oh.set_model_props(model, {"labels": json.dumps(LABELS)})
    else:
        path.with_suffix(".json").write_text(json.dumps(beside))
    onnx.save(model, path)
    return path
