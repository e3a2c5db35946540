"""Turns a network that OpenVINO reads (here MediaPipe's `.tflite`) into a torch module with gradients.

Only the two dozen operators that MediaPipe's face mesh and blendshapes are made of; needs nothing beside OpenVINO and torch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import UserError
from models.openvino_core import openvino_core

Operator = Callable[..., Tensor]


class GraphModule(nn.Module):
    """A frozen network: one input, a tuple of outputs in the file's order."""

    def __init__(self, path: Path) -> None:
        """Raises `UserError` for a file that OpenVINO can't read, and for an operator that is not known here."""
        super().__init__()
        try:
            graph = openvino_core().read_model(str(path))
        except RuntimeError as error:
            raise UserError(f"OpenVINO can't read the network {path}: replace the file") from error
        self._steps: list[tuple[str, Operator, list[str]]] = []
        constants: dict[str, Tensor] = {}
        for node in graph.get_ordered_ops():
            kind, name = node.get_type_name(), node.get_friendly_name()
            inputs = [node.input_value(i).get_node().get_friendly_name() for i in range(node.get_input_size())]
            if kind == "Constant":
                constants[name] = torch.from_numpy(np.array(node.data))
            elif kind == "Parameter":
                self._input = name
            elif kind != "Result":
                if kind not in OPERATORS:
                    raise UserError(f"the network {path} holds the unknown operator '{kind}': take the published file")
                operator = OPERATORS[kind](node.get_attributes())
                if inputs and all(value in constants for value in inputs):
                    constants[name] = operator(*(constants[value] for value in inputs))
                else:
                    self._steps.append((name, operator, inputs))
        used = {value for _, _, inputs in self._steps for value in inputs}
        self._names = {name: f"constant_{number}" for number, name in enumerate(constants) if name in used}
        for name, buffer in self._names.items():
            value = constants[name]
            self.register_buffer(buffer, value.float() if value.is_floating_point() else value)
        self._outputs = [result.input_value(0).get_node().get_friendly_name() for result in graph.get_results()]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """As the file's network, in float32."""
        values = {name: getattr(self, buffer) for name, buffer in self._names.items()}
        values[self._input] = x
        for name, operator, inputs in self._steps:
            values[name] = operator(*(values[value] for value in inputs))
        return tuple(values[name] for name in self._outputs)


def _padding(attributes: dict[str, Any], x: Tensor, kernel: tuple[int, ...]) -> list[int]:
    """What `F.pad` needs before a convolution or pooling: (left, right, top, bottom)."""
    if attributes["auto_pad"] == "valid":
        return [0, 0, 0, 0]
    sides = []
    for size, k, stride in zip(reversed(x.shape[2:]), reversed(kernel), reversed(attributes["strides"]), strict=True):
        total = max((-(-size // stride) - 1) * stride + k - size, 0)  # "same": the output is size / stride, rounded up
        before = total // 2 if attributes["auto_pad"] == "same_upper" else total - total // 2
        sides += [before, total - before]
    return sides


def _convolution(attributes: dict[str, Any]) -> Operator:
    def convolve(x: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
        left, right, top, bottom = _padding(attributes, x, weight.shape[2:])
        sides = (min(top, bottom), min(left, right))  # what the convolution adds itself costs no copy
        uneven = [left - sides[1], right - sides[1], top - sides[0], bottom - sides[0]]
        x = F.pad(x, uneven) if any(uneven) else x
        return F.conv2d(x, weight, stride=attributes["strides"], padding=sides, groups=groups)

    return convolve


def _group_convolution(attributes: dict[str, Any]) -> Operator:
    convolve = _convolution(attributes)
    return lambda x, weight: convolve(x, weight.flatten(0, 1), groups=weight.shape[0])


def _max_pool(attributes: dict[str, Any]) -> Operator:
    kernel = tuple(attributes["kernel"])

    def pool(x: Tensor) -> Tensor:
        padded = F.pad(x, _padding(attributes, x, kernel), value=-torch.inf)
        return F.max_pool2d(padded, kernel, stride=attributes["strides"])

    return pool


def _pad(_: dict[str, Any]) -> Operator:
    def pad(x: Tensor, before: Tensor, after: Tensor, value: Tensor) -> Tensor:
        pairs = [(int(b), int(a)) for b, a in zip(before, after, strict=True)]
        return F.pad(x, [side for pair in reversed(pairs) for side in pair], value=float(value))

    return pad


def _reshape(attributes: dict[str, Any]) -> Operator:
    def reshape(x: Tensor, shape: Tensor) -> Tensor:
        wanted = shape.tolist()
        if attributes["special_zero"]:
            wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
        return x.reshape(wanted)

    return reshape


def _reduction(reduce: Callable[..., Tensor]) -> Callable[[dict[str, Any]], Operator]:
    def with_attributes(attributes: dict[str, Any]) -> Operator:
        return lambda x, axes: reduce(x, axes.flatten().tolist(), keepdim=attributes["keep_dims"])

    return with_attributes


def _strided_slice(attributes: dict[str, Any]) -> Operator:
    """Steps forwards along axes that are there; a set bit of a mask means that the axis begins, or ends, where it does anyway."""
    first, last, shrunk = (attributes[f"{name}_mask"] for name in ("begin", "end", "shrink_axis"))

    def cut(x: Tensor, begin: Tensor, end: Tensor, step: Tensor) -> Tensor:
        where: list[int | slice] = []
        for axis, (a, b, c) in enumerate(zip(begin.tolist(), end.tolist(), step.tolist(), strict=True)):
            where.append(a if shrunk[axis] else slice(None if first[axis] else a, None if last[axis] else b, c))
        return x[tuple(where)]

    return cut


def _unsqueeze(_: dict[str, Any]) -> Operator:
    def unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
        places = axes.flatten().tolist()  # in the result, in any order
        for axis in sorted(axis % (x.ndim + len(places)) for axis in places):
            x = x.unsqueeze(axis)
        return x

    return unsqueeze


OPERATORS: Final[dict[str, Callable[[dict[str, Any]], Operator]]] = {
    "Add": lambda _: torch.add,
    "Concat": lambda attributes: lambda *parts: torch.cat(parts, attributes["axis"]),
    "Convert": lambda _: lambda x: x.float() if x.is_floating_point() else x,
    "Convolution": _convolution,
    "Divide": lambda _: torch.div,
    "GroupConvolution": _group_convolution,
    "MaxPool": _max_pool,
    "Multiply": lambda _: torch.mul,
    "Negative": lambda _: torch.neg,
    "PRelu": lambda _: lambda x, slope: x.clamp(min=0) + slope * x.clamp(max=0),
    "Pad": _pad,
    "Power": lambda _: torch.pow,
    "ReduceMean": _reduction(torch.mean),
    "ReduceSum": _reduction(torch.sum),
    "Relu": lambda _: torch.relu,
    "Reshape": _reshape,
    "Sigmoid": lambda _: torch.sigmoid,
    "SquaredDifference": lambda _: lambda x, y: (x - y).square(),
    "StridedSlice": _strided_slice,
    "Subtract": lambda _: torch.sub,
    "Transpose": lambda _: lambda x, order: x.permute(order.tolist()),
    "Unsqueeze": _unsqueeze,
}
