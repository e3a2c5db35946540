"""A speech encoder whose first layer hears how something is said: stem and first layer of a small Whisper.

Where its training starts: the package `pipecat-ai` (BSD-2-Clause) carries `smart-turn-v3.2-cpu.onnx`, the encoder of OpenAI's
Whisper tiny (A. Radford et al.: Robust speech recognition via large-scale weak supervision, 2022; MIT) trained further to hear
the end of a turn in 23 languages. What it says of strangers' voices is worth more than any features made by hand
(docs/emotion.md). Only arrays are read; the package is not imported. A file named by the environment variable
SPEECH2EXPRESSION_SPEECH_ENCODER replaces it. What the program listens with was trained on from there, with emotions
(tools/adapt_encoder.py), and lies in its weights.
"""

import copy
import os
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models import carrier
from models.precision import fast_precision

N_MELS: Final = 80
WIDTH: Final = 384
MAX_FRAMES: Final = 800  # of 10 ms
SHA256: Final = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
ADVICE: Final = "install it with: pip install --no-deps --force-reinstall pipecat-ai==1.14.0"
_FILE: Final = "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
_HEADS: Final = 6

# Ours -> theirs: arrays as they are, and those of eight bits with a scale for each output.
_LAYER: Final = "inner.encoder.layers.0"
_PLAIN: Final = {
    "positions": "inner.encoder.embed_positions.weight",
    "norm.weight": f"{_LAYER}.self_attn_layer_norm.weight",
    "norm.bias": f"{_LAYER}.self_attn_layer_norm.bias",
    "query.bias": f"{_LAYER}.self_attn.q_proj.bias",
    "value.bias": f"{_LAYER}.self_attn.v_proj.bias",
    "out.bias": f"{_LAYER}.self_attn.out_proj.bias",
    "second_norm.weight": f"{_LAYER}.final_layer_norm.weight",
    "second_norm.bias": f"{_LAYER}.final_layer_norm.bias",
    "widen.bias": f"{_LAYER}.fc1.bias",
    "narrow.bias": f"{_LAYER}.fc2.bias",
}
_EIGHT_BITS: Final = {
    "first.weight": "inner.encoder.conv1.weight",
    "first.bias": "inner.encoder.conv1.bias",
    "second.weight": "inner.encoder.conv2.weight",
    "second.bias": "inner.encoder.conv2.bias",
    "query.weight": "val_17",
    "key.weight": "val_25",
    "value.weight": "val_32",
    "out.weight": "val_75",
    "widen.weight": "val_79",
    "narrow.weight": "val_88",
}


class SpeechEncoder(nn.Module):
    """Log mel powers -> what each 40 ms sound like, in three depths: stem, with attention, whole first layer."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positions", torch.zeros(MAX_FRAMES // 2, WIDTH))
        self.first = nn.Conv1d(N_MELS, WIDTH, 3, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, padding=1, stride=2)
        self.norm = nn.LayerNorm(WIDTH)
        self.query, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.second_norm = nn.LayerNorm(WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    @classmethod
    def published(cls) -> "SpeechEncoder":
        """With the published arrays, float32. Raises UserError where the arrays are missing or others."""
        named = os.environ.get("SPEECH2EXPRESSION_SPEECH_ENCODER")
        path = Path(named) if named else carrier.package_folder("pipecat", ADVICE) / _FILE
        arrays = {a.name: a for a in onnx.load(carrier.checked_file(path, SHA256, ADVICE)).graph.initializer}

        def array(name: str) -> NDArray[np.float32]:
            values: NDArray[np.float32] = onnx.numpy_helper.to_array(arrays[name]).astype(np.float32)
            return values

        def expanded(name: str, ours: str) -> NDArray[np.float32]:
            quantized, scale = array(f"{name}_quantized"), array(f"{name}{'_quantized' * (ours.endswith('bias'))}_scale")
            if name.startswith("val"):  # (inputs, outputs), as a matrix product takes it
                return (quantized * scale).T
            return quantized * scale.reshape(-1, *(1,) * (quantized.ndim - 1))

        state = {ours: array(theirs) for ours, theirs in _PLAIN.items()}
        state |= {ours: expanded(theirs, ours) for ours, theirs in _EIGHT_BITS.items()}
        encoder = cls()
        encoder.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in state.items()})
        return encoder

    def listening(self, precision: torch.dtype | None = None) -> "SpeechEncoder":
        """A copy for evaluation only, its products in this machine's fast precision unless told."""
        own = copy.deepcopy(self)
        for layer in own.children():
            if not isinstance(layer, nn.LayerNorm):
                layer.to(precision or fast_precision())
        return own.eval().requires_grad_(False)

    def forward(self, log_mel: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, T, N_MELS), T even and at most MAX_FRAMES, log10 of mel powers plus 4 over 4; and which steps of 20 ms are
        wanted, bool (batch, T / 2) -> three (batch, T / 2, WIDTH), zero where not wanted.

        The newest frame has the last position, as in the encoder's training. What is not wanted is heard all the same, as what
        stands around the rest."""
        half = self.second.weight.dtype  # of the products; sums and norms are float32
        x = functional.gelu(self.second(functional.gelu(self.first(log_mel.transpose(1, 2).to(half))))).transpose(1, 2)
        everywhere = x + self.positions[-x.shape[1] :]
        # After the attention no step sees another: half of the work, and needless for silence.
        steps = wanted.flatten().nonzero().squeeze(1)
        mixed = self._attention(self.norm(everywhere).to(half)).flatten(0, 1).index_select(0, steps)
        stem = everywhere.flatten(0, 1).index_select(0, steps)
        attended = stem + self.out(mixed)
        whole = attended + self.narrow(functional.gelu(self.widen(self.second_norm(attended).to(half))))

        def placed(said: Tensor) -> Tensor:
            nowhere = torch.zeros_like(everywhere).flatten(0, 1)
            return nowhere.index_copy(0, steps, said).view_as(everywhere)

        return placed(stem), placed(attended), placed(whole)

    def _attention(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).view(*x.shape[:2], _HEADS, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        mixed: Tensor = functional.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).flatten(2)
