"""Turns an ONNX file into a torch module with gradients (onnx2torch).

onnx2torch imports torchvision for two operators of object detectors that no network here has, and torchvision has no build
beside some CPU builds of torch. While onnx2torch is imported, two empty stand-ins take torchvision's place where it is missing.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from models.errors import UserError


def torch_module(path: Path) -> torch.nn.Module:
    """The network in `path` as a frozen torch module in evaluation mode.

    Raises `UserError` where onnx2torch is not installed.
    """
    module = cast(torch.nn.Module, _onnx2torch().convert(str(path)))
    for name, child in list(module.named_children()):
        if type(child).__name__ == "OnnxPReLU":
            setattr(module, name, _PReLU())
    return module.eval().requires_grad_(False)


class _PReLU(torch.nn.Module):
    """PRelu with ONNX's broadcasting. onnx2torch's own picks single numbers by mask, which takes most of a network's time."""

    def forward(self, x: Tensor, slope: Tensor) -> Tensor:
        return x.clamp(min=0) + slope * x.clamp(max=0)


def _onnx2torch() -> Any:
    if importlib.util.find_spec("onnx2torch") is None:
        raise UserError(
            "searching expressions needs the package onnx2torch, it is not installed: pip install --no-deps onnx2torch==1.5.15"
        )
    stand_ins: dict[str, ModuleType] = {}
    if importlib.util.find_spec("torchvision") is None:
        package, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
        package.ops = ops  # type: ignore[attr-defined]
        ops.nms = ops.roi_align = _not_here  # type: ignore[attr-defined]
        stand_ins = {"torchvision": package, "torchvision.ops": ops}
    sys.modules.update(stand_ins)
    try:
        import onnx2torch
    finally:
        for name in stand_ins:
            del sys.modules[name]
    return onnx2torch


def _not_here(*_: object) -> None:
    raise NotImplementedError("torchvision is not installed")
