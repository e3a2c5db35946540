"""The encoder computes what the published file computes, and takes no other file."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models import carrier
from models.emotion import speech_encoder
from models.emotion.speech_encoder import ADVICE, MAX_FRAMES, N_MELS, WIDTH, SpeechEncoder
from models.errors import UserError


def published_file() -> Path:
    return carrier.package_folder("pipecat", ADVICE) / speech_encoder._FILE


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder.published().listening()


def sound_like(frames: int) -> torch.Tensor:
    """Log mel powers in the range that the encoder meets."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, frames, N_MELS, generator=generator) * 0.25 + 0.4


def everywhere(log_mel: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(log_mel), log_mel.shape[1] // 2, dtype=torch.bool)


@torch.no_grad()
def test_the_same_as_the_published_graph() -> None:
    model = onnx.load(published_file())
    # Without the rounding of activations to eight bits: what reads a dequantised activation reads the activation.
    quantized = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    plain = {
        n.output[0]: quantized[n.input[0]]
        for n in model.graph.node
        if n.op_type == "DequantizeLinear" and n.input[0] in quantized
    }
    for node in model.graph.node:
        node.input[:] = [plain.get(name, name) for name in node.input]
    depths = ("add_20", "add_117", "add_146")
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in depths)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    log_mel = sound_like(MAX_FRAMES)
    expected = session.run(list(depths), {"input_features": log_mel.transpose(1, 2).numpy()})
    for mine, theirs in zip(SpeechEncoder.published()(log_mel, everywhere(log_mel)), expected, strict=True):
        assert np.abs(mine.numpy() - theirs).max() < 2e-3


@torch.no_grad()
def test_half_precision_changes_little() -> None:
    sound = sound_like(300)
    whole, half = (
        SpeechEncoder.published().listening(p)(sound, everywhere(sound))[-1].mean(1) for p in (torch.float32, torch.bfloat16)
    )
    assert torch.nn.functional.cosine_similarity(whole, half).item() > 0.999


@torch.no_grad()
def test_three_depths_every_20_ms(encoder: SpeechEncoder) -> None:
    sound = sound_like(300)
    assert [depth.shape for depth in encoder(sound, everywhere(sound))] == [(1, 150, WIDTH)] * 3


@torch.no_grad()
def test_what_is_not_wanted_is_heard_but_not_said(encoder: SpeechEncoder) -> None:
    sound = torch.cat([sound_like(300), sound_like(300).flip(1)])
    wanted = torch.zeros(2, 150, dtype=torch.bool)
    wanted[0, 20:50] = wanted[1, 100:] = True
    for all_of_it, some in zip(encoder(sound, everywhere(sound)), encoder(sound, wanted), strict=True):
        assert torch.allclose(some[wanted], all_of_it[wanted], atol=1e-2)
        assert not some[~wanted].any() and bool(all_of_it[~wanted].any())


def test_another_file_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "encoder.onnx"
    other.write_bytes(b"something else")
    monkeypatch.setenv("SPEECH2EXPRESSION_SPEECH_ENCODER", str(other))
    with pytest.raises(UserError, match=r"encoder\.onnx is not the published file"):
        SpeechEncoder.published()
    monkeypatch.setenv("SPEECH2EXPRESSION_SPEECH_ENCODER", str(tmp_path / "nothing.onnx"))
    with pytest.raises(UserError, match=r"nothing\.onnx can't be read"):
        SpeechEncoder.published()


def test_a_missing_package_is_one_clear_error() -> None:
    with pytest.raises(UserError, match=r"package nobody-has-this, .* not installed; do this"):
        carrier.package_folder("nobody_has_this", "do this")
