"""The tiny generators of tests/models/stylegan/reference, and checkpoints of them as the official programs would write them."""

import contextlib
import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from models.stylegan.checkpoint import Config, build
from models.stylegan.generator import Generator
from models.stylegan.stylegan2 import StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3Config

REFERENCE: Final = Path(__file__).parent / "models" / "stylegan" / "reference"
OFFICIAL: Final = ("sg2-32", "sg3t-32", "sg3r-32")
CONFIGS: Final[dict[str, Config]] = {
    "sg2-32": StyleGan2Config(resolution=32, z_dim=64, w_dim=64, mapping_layers=2, channels=[32, 32, 32, 16]),
    "sg3t-32": StyleGan3Config(resolution=32, z_dim=64, w_dim=64, mapping_layers=2, channel_base=192, channel_max=16),
    "sg3r-32": StyleGan3Config(
        resolution=32,
        z_dim=64,
        w_dim=64,
        mapping_layers=2,
        channel_base=384,
        channel_max=24,
        conv_kernel=1,
        use_radial_filters=True,
    ),
}
BUFFERS: Final = {"w_avg", "noise_const", "resample_filter", "transform", "freqs", "phases"} | {
    "magnitude_ema",
    "up_filter",
    "down_filter",
}


def figures(name: str) -> dict[str, NDArray[np.float32]]:
    """Inputs and outputs by name."""
    with np.load(REFERENCE / f"{name}.npz") as file:
        return dict(file)


def weights(name: str) -> dict[str, Tensor]:
    """The state dictionary, official names."""
    return load_file(REFERENCE / f"{name}.safetensors")


@cache
def reference_generator(name: str) -> Generator:
    """One of `OFFICIAL`; shared, so not to be changed."""
    return build(CONFIGS[name], weights(name))


def error(ours: Tensor, theirs: NDArray[np.float32]) -> float:
    """The largest difference, relative where figures are larger than 1."""
    reference = torch.from_numpy(theirs)
    return float(((ours - reference).abs() / reference.abs().clamp(min=1)).max())


class Network:
    """A network as NVIDIA's pickles describe it: pickled as a call of `_reconstruct_persistent_obj`."""

    def __init__(self, class_name: str, source: str, **attributes: Any) -> None:
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name}
        self.state: dict[str, Any] = {
            "training": False,
            "_parameters": OrderedDict(),
            "_buffers": OrderedDict(),
            "_non_persistent_buffers_set": set(),
            "_forward_hooks": OrderedDict(),
            "_modules": OrderedDict(),
            "_init_args": (),
            "_init_kwargs": {},
            **attributes,
        }

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, ({**self.meta, "state": self.state},)

    def child(self, name: str) -> "Network":
        child = self.state["_modules"][name]
        assert isinstance(child, Network)
        return child


def official_network(name: str, source: str = "# Copyright of the test\n# Terms of the test\n\nraise SystemExit\n") -> Network:
    """`G_ema` of a snapshot that holds the generator `name`."""
    config = CONFIGS[name]
    root = Network(
        "Generator",
        source,
        z_dim=config.z_dim,
        c_dim=0,
        w_dim=config.w_dim,
        img_resolution=config.resolution,
        img_channels=3,
        num_ws=reference_generator(name).num_ws,
    )
    for full, tensor in weights(name).items():
        *path, last = full.split(".")
        module = root
        for depth, part in enumerate(path):
            modules = module.state["_modules"]
            if part not in modules:
                modules[part] = Network(_class_of(path[: depth + 1]), source, **_attributes(config, path[: depth + 1]))
            module = modules[part]
        if last in BUFFERS:
            module.state["_buffers"][last] = tensor
        else:
            module.state["_parameters"][last] = torch.nn.Parameter(tensor)
    return root


def _class_of(path: list[str]) -> str:
    known = {"mapping": "MappingNetwork", "synthesis": "SynthesisNetwork", "torgb": "ToRGBLayer", "input": "SynthesisInput"}
    if path[-1] in known:
        return known[path[-1]]
    if path[-1].startswith("fc") or path[-1] == "affine":
        return "FullyConnectedLayer"
    return "SynthesisBlock" if path[-1].startswith("b") else "SynthesisLayer"


def _attributes(config: Config, path: list[str]) -> dict[str, Any]:
    """What the official classes keep beside their tensors, as far as it says something, and one array of numpy's."""
    match _class_of(path):
        case "MappingNetwork":
            return {"num_layers": config.mapping_layers, "w_avg_beta": 0.995}
        case "FullyConnectedLayer":
            learning_rate = 0.01 if path[0] == "mapping" else 1.0
            activation = "lrelu" if path[0] == "mapping" else "linear"
            return {"activation": activation, "weight_gain": np.float64(learning_rate / np.sqrt(64)), "bias_gain": learning_rate}
        case "SynthesisNetwork" if isinstance(config, StyleGan3Config):
            given = {"w_dim", "resolution", "z_dim", "architecture", "c_dim", "mapping_layers", "mapping_learning_rate", "label"}
            arguments = {key: value for key, value in config.model_dump().items() if key not in given}
            easy = sys.modules["dnnlib.util"].EasyDict(arguments) if "dnnlib.util" in sys.modules else arguments
            named = {key: getattr(config, key) for key in ("num_layers", "num_critical", "margin_size")}
            return {**named, "layer_names": [layer.name for layer in config.layers], "_init_kwargs": easy}
        case "SynthesisBlock":
            return {"architecture": "skip", "use_fp16": np.bool_(False)}
        case "SynthesisLayer" if isinstance(config, StyleGan2Config):
            return {"activation": "lrelu", "use_noise": True, "conv_clamp": config.conv_clamp, "act_gain": np.sqrt(2)}
        case "SynthesisLayer":
            return {"in_size": np.array([36, 36]), "conv_clamp": 256}
        case "ToRGBLayer" if isinstance(config, StyleGan2Config):
            return {"conv_clamp": config.conv_clamp}
    return {}


@contextlib.contextmanager
def official_modules() -> Iterator[None]:
    """Stand-ins for the modules that the official pickles name, only there while a pickle is written."""

    class EasyDict(dict[str, Any]):
        __module__, __qualname__ = "dnnlib.util", "EasyDict"

    def _reconstruct_persistent_obj(_: object) -> None:
        raise AssertionError("a pickle was executed")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    contents = {
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
    }
    for name, members in contents.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in contents:
            del sys.modules[name]


def conditional(network: Network) -> None:
    """Make the generator one of five classes."""
    network.state["c_dim"] = 5
    mapping = network.child("mapping")
    embed = Network("FullyConnectedLayer", "", weight_gain=np.float64(5**-0.5))
    rng = torch.Generator().manual_seed(3)
    embed.state["_parameters"] = {name: torch.randn(size, generator=rng) for name, size in (("weight", (64, 5)), ("bias", (64,)))}
    mapping.state["_modules"]["embed"] = embed
    fc0 = mapping.child("fc0").state
    fc0["_parameters"]["weight"] = torch.randn(64, 128, generator=rng) * 100
    fc0["weight_gain"] = np.float64(0.01 / np.sqrt(128))


def official_pickle(
    name: str, protocol: int = 4, change: Callable[[Network], object] = lambda network: None, **beside: object
) -> bytes:
    """A snapshot with the generator `name` as `G_ema`; `change` may tamper with it first."""
    with official_modules():
        network = official_network(name)
        change(network)
        snapshot = {"training_set_kwargs": sys.modules["dnnlib.util"].EasyDict(use_labels=False), "G": None, "D": None}
        file = io.BytesIO()
        pickle.Pickler(file, protocol).dump({**snapshot, "G_ema": network, "augment_pipe": None, **beside})
    return file.getvalue()
