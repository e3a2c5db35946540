"""NVIDIA's own PyTorch code as a peer: StyleGAN2 and StyleGAN3 with the weights of a generator of ours.

It draws as its own scripts do. The code is not part of this project: the user names a folder with a checkout of
stylegan2-ada-pytorch or stylegan3, and it is run. Only code of that folder is; the weights are those that we read, no pickle is
opened.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import UserError
from models.stylegan.generator import Generator
from models.stylegan.stylegan2 import HALF_RESOLUTIONS, StyleGan2, StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config
from tools.peer import Draw

STYLEGAN2: Final = ("training.networks_stylegan2", "training.networks")  # in a checkout of stylegan3, of stylegan2-ada-pytorch
STYLEGAN3: Final = ("training.networks_stylegan3",)
OURS: Final = {"architecture", "resolution", "z_dim", "c_dim", "w_dim", "mapping_layers", "mapping_learning_rate", "label"}


def open_nvidia(folder: Path, generator: Generator) -> tuple[Draw, str]:
    """How NVIDIA's code in `folder` draws `generator`: ws (1, num_ws, w_dim) → picture (R, R, 3), and a description.

    On the first GPU in its own mixed precision, with its custom kernels where they can be compiled; without a GPU in float32 with
    its plain operations. Raises UserError for another folder or another generator.
    """
    if not isinstance(generator, StyleGan2 | StyleGan3):
        raise UserError("NVIDIA's code draws StyleGAN2 and StyleGAN3; name one with --generator, or leave --nvidia away")
    names = STYLEGAN2 if isinstance(generator, StyleGan2) else STYLEGAN3
    module = _imported(folder, names)
    config = generator.config
    clamped = config.conv_clamp is not None
    synthesis = _stylegan2_arguments(config) if isinstance(config, StyleGan2Config) else _stylegan3_arguments(config)
    synthesis["num_fp16_res"] = HALF_RESOLUTIONS if clamped else 0  # as it trains, and as it reads older files
    nested = module.__name__ == "training.networks"
    network = module.Generator(
        config.z_dim,
        config.c_dim,
        config.w_dim,
        config.resolution,
        3,
        mapping_kwargs={"num_layers": config.mapping_layers},
        **({"synthesis_kwargs": synthesis} if nested else synthesis),
    )
    network.load_state_dict(_cloned(generator.state_dict()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    drawing = network.eval().requires_grad_(False).to(device).synthesis
    options = {"noise_mode": "const", "force_fp32": device.type == "cpu"}

    def draw(ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            picture = drawing(torch.from_numpy(ws).to(device), **options)
            grey = (picture.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
            drawn: NDArray[np.uint8] = grey[0].cpu().numpy()
        return drawn

    draw(np.zeros((1, generator.num_ws, generator.w_dim), np.float32))  # custom kernels are compiled by then, or not
    kernels = "custom" if getattr(sys.modules["torch_utils.ops.bias_act"], "_plugin", None) is not None else "plain"
    numbers = "f16 and f32" if device.type == "cuda" and clamped else "f32"
    return draw, f"NVIDIA's {module.__name__}, {kernels} kernels, PyTorch {torch.__version__}, {numbers}"


def _stylegan2_arguments(config: StyleGan2Config) -> dict[str, Any]:
    """Channels as NVIDIA's code is told them. Raises UserError for those that it can't have."""
    widest, base = max(config.channels), config.channels[-1] * config.resolution
    if config.channels != [min(base // (4 << b), widest) for b in range(len(config.channels))]:
        raise UserError(f"NVIDIA's code has no StyleGAN2 with blocks of {config.channels} channels; leave --nvidia away")
    return {"channel_base": base, "channel_max": widest, "conv_clamp": config.conv_clamp}


def _stylegan3_arguments(config: StyleGan3Config) -> dict[str, Any]:
    return {name: value for name, value in config.model_dump().items() if name not in OURS}


def _cloned(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _imported(folder: Path, names: tuple[str, ...]) -> ModuleType:
    found = [name for name in names if (folder / f"{name.replace('.', '/')}.py").is_file()]
    if not found:
        repository = "stylegan2-ada-pytorch or stylegan3" if names is STYLEGAN2 else "stylegan3"
        raise UserError(f"{folder} holds no code of NVIDIA's that draws this generator; name a checkout of NVlabs' {repository}")
    sys.path.insert(0, str(folder.resolve()))
    try:
        return importlib.import_module(found[0])
    except ImportError as error:
        hint = "pip install what it asks for (pkg_resources is in 'setuptools<81')"
        raise UserError(f"NVIDIA's code in {folder} can't be imported ({error}); {hint}") from error
    finally:
        sys.path.pop(0)
