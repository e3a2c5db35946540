"""The classifier's trained parts, in one file of safetensors: network, speech encoder and what tells voices apart (float16),
temperatures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.emotion.voice_identity import VoiceIdentity
from models.errors import UserError
from models.files import written_beside

_ENCODER: Final = "encoder."
_VOICES: Final = "voices."


@dataclass(frozen=True)
class Trained:
    """All float32. `temperature`: what divides the logits of strangers and of known voices; None before calibration."""

    network: EmotionNetwork
    encoder: SpeechEncoder
    voices: VoiceIdentity
    temperature: tuple[float, float] | None = None

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        state = dict(self.network.state_dict())
        for prefix, part in ((_ENCODER, self.encoder), (_VOICES, self.voices)):
            state |= {prefix + name: array.half() for name, array in part.state_dict().items()}
        if self.temperature is not None:
            state["temperature"] = torch.tensor(self.temperature)
        with written_beside(path) as beside:
            save_file(state, beside)

    @classmethod
    def load(cls, path: Path, advice: str) -> "Trained":
        """Raises UserError, with the advice, if the file is missing, damaged or of another version."""
        network, encoder, voices = EmotionNetwork(), SpeechEncoder(), VoiceIdentity()
        try:
            state = load_file(path)
            temperature = state.pop("temperature", None)
            for prefix, part in ((_ENCODER, encoder), (_VOICES, voices)):
                own = {name: state.pop(name) for name in list(state) if name.startswith(prefix)}
                part.load_state_dict({name.removeprefix(prefix): array.float() for name, array in own.items()})
            network.load_state_dict(state)
            if temperature is not None:
                stranger, known = temperature.tolist()
        except FileNotFoundError as error:
            raise UserError(f"no weights of the emotion classifier at {path}; {advice}") from error
        except (OSError, SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise UserError(f"{path} does not hold this version's emotion classifier or is damaged; {advice}") from error
        return cls(network.eval(), encoder.eval(), voices.eval(), None if temperature is None else (stranger, known))
