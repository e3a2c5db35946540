"""StyleGAN2 and StyleGAN3 as people have them, 256² to 1024², of random weights: what TensorRT for RTX makes of their graphs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from reference_generators import REFERENCE

from models.stylegan.checkpoint import Config
from models.stylegan.random_weights import random_generator
from models.stylegan.stylegan2 import StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3Config

LAYOUTS: Final[dict[str, Any]] = json.loads((REFERENCE / "layouts.json").read_text())
CLAMPED: Final = [f"stylegan2-ada cfg=config-f {size}" for size in (256, 512, 1024)]
UNCLAMPED: Final = "stylegan2 256, as converted from TensorFlow"
STYLEGAN3: Final = [
    f"stylegan3-{kind} {size} channel_base={base}" for kind, base in (("t", 32768), ("r", 65536)) for size in (256, 512, 1024)
]

_arguments: Final = LAYOUTS[CLAMPED[0]]["arguments"]
LAYOUTS[UNCLAMPED] = {
    **LAYOUTS[CLAMPED[0]],
    "arguments": {**_arguments, "synthesis_kwargs": {**_arguments["synthesis_kwargs"], "conv_clamp": None}},
}


DRAWN: Final = [(name, LAYOUTS[name]["arguments"]["img_resolution"]) for name in [*CLAMPED, UNCLAMPED, *STYLEGAN3]] + [
    (name, 256) for name in (CLAMPED[-1], STYLEGAN3[2], STYLEGAN3[-1])
]
"""Networks, and the sizes that they are drawn in: their own, and a show's of the largest."""


class Read(NamedTuple):
    """A graph as TensorRT's parser read it, and the size of the engine in bytes."""

    inputs: list[tuple[str, str, list[int]]]
    outputs: list[tuple[str, str, list[int]]]
    layers: int
    convolutions: dict[tuple[str, str], int]  # kind and type of its output
    single: list[tuple[str, list[int]]]  # in float32, more than three channels, and more than one place: type and shape
    plan: int


def config_of(arguments: dict[str, Any]) -> Config:
    """From the arguments of NVIDIA's `Generator`."""
    sizes = {"resolution": arguments["img_resolution"], "z_dim": arguments["z_dim"], "w_dim": arguments["w_dim"]}
    sizes["mapping_layers"] = arguments["mapping_kwargs"]["num_layers"]
    if "synthesis_kwargs" not in arguments:
        given = {key: value for key, value in arguments.items() if key in StyleGan3Config.model_fields and key not in sizes}
        return StyleGan3Config(**sizes, **given)
    widths = arguments["synthesis_kwargs"]
    blocks = range(arguments["img_resolution"].bit_length() - 2)
    channels = [min(widths["channel_base"] // (4 << b), widths["channel_max"]) for b in blocks]
    return StyleGan2Config(**sizes, channels=channels, conv_clamp=widths["conv_clamp"])


def read_and_build(name: str, size: int, folder: Path) -> Read:
    """Export, parse and build; to be called in a process of its own, with a `folder` for the graph."""
    import tensorrt_rtx_bindings as trt

    from engine import export
    from engine.tensorrt import Network
    from models.stylegan.pixels import Pixels

    torch.set_num_threads(1)
    export.cache_folder = lambda _="": folder  # type: ignore[assignment]
    generator = random_generator(config_of(LAYOUTS[name]["arguments"]))
    network = Network(trt, export.onnx_file(Pixels(generator, size).eval().in_half_precision()))
    graph = network.definition
    layers = [graph.get_layer(i) for i in range(graph.num_layers)]
    outputs = [(layer, layer.get_output(0)) for layer in layers]
    kinds = (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION)
    return Read(
        [_told(graph.get_input(i)) for i in range(graph.num_inputs)],
        [_told(graph.get_output(i)) for i in range(graph.num_outputs)],
        len(layers),
        dict(Counter((layer.type.name, out.dtype.name) for layer, out in outputs if layer.type in kinds)),
        [
            (layer.type.name, list(out.shape))
            for layer, out in outputs
            if out.dtype == trt.DataType.FLOAT and len(out.shape) == 4 and out.shape[1] > 3 and out.shape[2] * out.shape[3] > 9
        ],
        len(network.build(("8.6", "12.0"), lambda _: None)),
    )


def _told(tensor: Any) -> tuple[str, str, list[int]]:
    return tensor.name, tensor.dtype.name, list(tensor.shape)
