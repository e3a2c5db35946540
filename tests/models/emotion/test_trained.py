"""One file holds all that was trained, and says what it lacks."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.trained import Trained
from models.emotion.voice_identity import VoiceIdentity
from models.errors import UserError


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(0)
    return Trained(EmotionNetwork(), SpeechEncoder(), VoiceIdentity(), (1.5, 1.0))


def test_what_was_saved_is_found(trained: Trained, tmp_path: Path) -> None:
    trained.save(tmp_path / "weights.safetensors")
    found = Trained.load(tmp_path / "weights.safetensors", "")
    assert found.temperature == (1.5, 1.0)
    assert all(torch.equal(array, found.network.state_dict()[name]) for name, array in trained.network.state_dict().items())
    for name, array in trained.encoder.state_dict().items():
        assert found.encoder.state_dict()[name].dtype == torch.float32
        assert torch.allclose(array, found.encoder.state_dict()[name], atol=1e-3), name


def test_uncalibrated_parts_do_not_listen(trained: Trained, tmp_path: Path) -> None:
    Trained(trained.network, trained.encoder, trained.voices).save(tmp_path / "weights.safetensors")
    assert Trained.load(tmp_path / "weights.safetensors", "").temperature is None
    with pytest.raises(UserError, match="without temperatures"):
        EmotionClassifier.load(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("lacking", ["encoder.query.weight", "layers.1.weight", "shifts", "voices.spread"])
def test_a_part_that_lacks_is_one_clear_error(trained: Trained, tmp_path: Path, lacking: str) -> None:
    path = tmp_path / "weights.safetensors"
    trained.save(path)
    state = load_file(path)
    del state[lacking]
    save_file(state, path)
    with pytest.raises(UserError, match="damaged; do this"):
        Trained.load(path, "do this")


def test_what_ships_is_small_enough_to_be_heard_everywhere() -> None:
    shipped = Trained.load(WEIGHTS, "")
    learnt = sum(p.numel() for part in (shipped.network, shipped.encoder) for p in part.parameters())
    assert learnt + sum(array.numel() for array in shipped.voices.buffers()) <= 3_000_000


def test_a_voice_is_another_for_another_encoder(trained: Trained) -> None:
    """A profile belongs to the encoder as well as to the network."""
    other = SpeechEncoder()
    assert (
        EmotionClassifier(trained).identity
        != EmotionClassifier(Trained(trained.network, other, trained.voices, (1.5, 1.0))).identity
    )
