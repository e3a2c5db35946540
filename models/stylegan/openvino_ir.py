"""Reads MobileStyleGAN's weights out of OpenVINO IR files (a graph in XML, its constants in one block) as plain data.

Nothing of the graph is run. Constants of the published files carry the names of the original module (`m.layers.4.conv1.bias`)
except for those that were folded while converting; these are found by their place behind a named one.
"""

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

BLOCKS: Final = 7
HAAR_INPUTS: Final = (  # whatever makes or scales the channels that a Haar step reads
    *("first.conv.weight", "first.conv.bias", "rgb.conv.weight", "rgb.conv.bias"),
    *(f"blocks.{b}.up.{kind}" for b in range(BLOCKS) for kind in ("weight", "bias")),
    *(f"blocks.{b}.conv2.pointwise.{kind}" for b in range(BLOCKS - 1) for kind in ("weight", "bias")),
)


def _constants(xml: Path, weights: Path) -> list[tuple[str, Tensor]]:
    """All float32 constants of one IR file in the order of the graph: (name, tensor)."""
    block = weights.read_bytes()
    constants = []
    for layer in ET.parse(xml).iter("layer"):
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.attrib["element_type"] != "f32":
            continue
        shape = [int(n) for n in data.attrib["shape"].split(",") if n.strip()]
        array = np.frombuffer(block, dtype="<f4", count=math.prod(shape), offset=int(data.attrib["offset"])).reshape(shape)
        constants.append((layer.attrib["name"], torch.from_numpy(array.copy())))
    return constants


def read_mapping(xml: Path, weights: Path) -> dict[str, Tensor]:
    """`layers.N.weight` (512, 512) and `layers.N.bias` (512,) of the eight layers of the mapping network."""
    matrices = [t for _, t in _constants(xml, weights) if t.shape == (512, 512)]
    biases = [t for _, t in _constants(xml, weights) if t.shape == (512,)]
    state = {}
    for i, (weight, bias) in enumerate(zip(matrices, biases, strict=True)):
        state[f"layers.{i}.weight"], state[f"layers.{i}.bias"] = weight, bias
    return state


def read_synthesis(xml: Path, weights: Path) -> dict[str, Tensor]:
    """The tensors of `MobileStyleGAN` below `first`, `blocks` and `rgb`, with the runtime gain of each style folded in."""
    state: dict[str, Tensor] = {}
    module = ""
    for name, tensor in _constants(xml, weights):
        if name == "m.input.input":
            module, state["first.constant"] = "first", tensor
        elif name.endswith("conv.weight_dw"):
            module = _module(name.removesuffix(".conv.weight_dw"))
            state[f"{module}.depthwise.weight"] = tensor.squeeze(2)
        elif name == "m.layers.6.to_img.conv.weight":
            state["rgb.conv.weight"] = tensor
        elif ".modulation." in name:
            layer, kind = name.split(".modulation.")
            style = _module(layer) if layer.endswith(".up") else f"{_module(layer.removesuffix('.conv'))}.style"
            state[f"{style}.{kind}"] = tensor.flatten() if kind == "bias" else tensor
        elif name.endswith(".bias"):
            module = _module(name.removesuffix(".bias"))
            state[f"{module}.{'conv' if module in ('first', 'rgb') else 'pointwise'}.bias"] = tensor.flatten()
        elif name.endswith("_copy"):  # a convolution with the training's gain folded in, right behind its input's constants
            state[f"{module}.{'conv' if module == 'first' else 'pointwise'}.weight"] = tensor
        elif tensor.ndim == 4 and tensor.shape[:2] == (1, 1) and tensor.shape[2] > 1:
            state[f"{module}.noise"] = tensor
    for name in [n for n in state if n.endswith((".style.weight", ".style.bias"))]:
        # A style is divided by the root of its kernel's fan-in; upsampling (`up`) has no kernel and no such gain.
        owner, kind = name.split(".style.")
        kernel = 1 if owner == "rgb" else 9
        state[name] = state[name] / math.sqrt(kernel * state[f"{owner}.style.weight"].shape[0])
    for name in state:
        if name in HAAR_INPUTS:
            state[name] = state[name][_whole_bands(len(state[name]))]
    return state


def _whole_bands(channels: int) -> Tensor:
    """The order that turns low, v0, h0, d0, v1, h1, d1, … (published) into low, v0, v1, …, h0, …, d0, … (`haar_synthesis`)."""
    low, detail = torch.arange(channels // 4), torch.arange(channels // 4, channels)
    return torch.cat((low, detail[0::3], detail[1::3], detail[2::3]))


def _module(name: str) -> str:
    """`m.layers.4.conv1` → `blocks.4.conv1`; the first and last layer have names of their own."""
    if name == "m.layers.6.to_img":
        return "rgb"
    return "first" if name == "m.conv1" else name.replace("m.layers", "blocks")
