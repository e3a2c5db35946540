"""The default generator, ready to draw: MobileStyleGAN for FFHQ 1024², converted once and kept in the user's cache folder.

The weights were distilled from NVIDIA's StyleGAN2 for FFHQ: treat them as non-commercial (see weights/README.md).
"""

import hashlib
import logging
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.files import cache_folder, written_beside
from models.stylegan.carrier import carrier_folder, checked_file
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.openvino_ir import read_mapping, read_synthesis

GRAPH_HASH: Final = "896bdd2496f80575874e21c91b67e219daa236506338944dd3289fa5a60faf06"
W_AVG_SAMPLES: Final = 32768

log = logging.getLogger(__name__)


def cache_file() -> Path:
    """Where the converted weights are kept."""
    return cache_folder() / "mobile_stylegan_ffhq.safetensors"


def load_default_generator() -> MobileStyleGAN:
    """MobileStyleGAN in evaluation mode, float32, on the CPU, its weights frozen.

    A damaged cache is converted anew. Raises UserError where the published files are missing or not the published ones.
    """
    cached = cache_file()
    try:
        return _read_cache(cached)
    except FileNotFoundError:
        log.info("converting the generator's weights once, into %s", cached)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        log.warning("the converted weights in %s are damaged (%s); converting them anew", cached, error)
    state = convert(carrier_folder())
    with written_beside(cached) as beside:
        save_file(state, beside, metadata={"w_avg": _sha256(state["w_avg"])})
    return _module(state)


def convert(folder: Path) -> dict[str, Tensor]:
    """The published files in `folder` → the state of `MobileStyleGAN`, with `w_avg` computed. Raises UserError."""
    files = [checked_file(folder, name) for name in ("MappingNetwork.xml", "MappingNetwork.bin")]
    state = read_mapping(*files)
    files = [checked_file(folder, name) for name in ("SynthesisNetwork.xml", "SynthesisNetwork.bin")]
    state |= read_synthesis(*files)
    generator = _module({**state, "w_avg": torch.zeros(512)})
    z = torch.from_numpy(np.random.RandomState(0).randn(W_AVG_SAMPLES, generator.z_dim)).float()
    state["w_avg"] = torch.stack([generator.mapping(part).mean(dim=0) for part in z.chunk(32)]).mean(dim=0)
    return state


def _module(state: dict[str, Tensor]) -> MobileStyleGAN:
    with torch.device("meta"):
        generator = MobileStyleGAN()
    generator.load_state_dict(state, assign=True)
    return generator.eval().requires_grad_(False)


def _read_cache(path: Path) -> MobileStyleGAN:
    """The module, once its weights are exactly the published ones. Raises ValueError if they are not."""
    with safe_open(path, framework="pt") as file:
        expected = {"graph": GRAPH_HASH, "w_avg": (file.metadata() or {}).get("w_avg", "")}
    generator = _module(load_file(path))
    found = {"graph": generator.graph_hash, "w_avg": _sha256(generator.w_avg)}
    if found != expected:
        raise ValueError("their hash is not the one that was written")
    return generator


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
