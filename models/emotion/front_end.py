"""From sound to what the network sees: MFCC (torchaudio), pitch and voice quality, every 10 ms.

Two stages, so that a live program computes each frame once:
1. `frame_features`: what a frame of 40 ms says by itself. A stream keeps these.
2. `network_input`: what needs the window: its level is taken out (level is the microphone, not the mood), MFCC are made.
"""

from typing import Final

import torch
import torchaudio
from torch import Tensor, nn

from models.emotion import pitch

SAMPLE_RATE: Final = pitch.SAMPLE_RATE
HOP_LENGTH: Final = 160  # samples, 10 ms
BLOCK: Final = pitch.BLOCK  # samples that one frame looks at
WIN_LENGTH: Final = 400  # samples, 25 ms, of the MFCC
N_FFT: Final = 400
N_MELS: Final = 80
N_MFCC: Final = 40
F_MIN, F_MAX = 0.0, 8_000.0  # Hz

VOICE_FEATURES: Final = ("log_f0", "harmonicity", "h1_h2", "h1_a3")
N_FRAME_FEATURES: Final = N_MELS + len(VOICE_FEATURES)
# MFCC, level within the window, log_f0, h1_h2, h1_a3, harmonicity, voiced
N_FEATURES: Final = N_MFCC + 1 + 5
VOICED: Final = N_FEATURES - 1

# Power added to every mel band before the logarithm: per sample for digital zero, and relative to the window's
# speech, so that silence of a studio and of a room look alike.
_ABSOLUTE_FLOOR: Final = 1e-11
_RELATIVE_FLOOR: Final = 3e-5
# log10 of the mean mel power of speech that the encoder was trained with: eight seconds of unit variance, three of them speech.
_ENCODER_LEVEL: Final = 1.0
_VOICED_ABOVE: Final = 0.5  # strength of the autocorrelation's peak
_F0_REFERENCE: Final = 150.0  # Hz: zero of log_f0 (octaves)


def n_frames(n_samples: int) -> int:
    """How many frames fit entirely into that many samples."""
    return max(0, (n_samples - BLOCK) // HOP_LENGTH + 1)


class FrontEnd(nn.Module):
    """Feature extraction without trainable parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.mfcc = torchaudio.transforms.MFCC(
            SAMPLE_RATE, n_mfcc=N_MFCC, log_mels=True,
            melkwargs={"n_fft": N_FFT, "win_length": WIN_LENGTH, "hop_length": HOP_LENGTH, "center": False,
                       "n_mels": N_MELS, "f_min": F_MIN, "f_max": F_MAX, "norm": "slaney", "mel_scale": "slaney"},
        )  # fmt: skip

    @torch.no_grad()
    def frame_features(self, samples: Tensor) -> Tensor:
        """Sound (n,) at 16 kHz -> (n_frames(n), N_FRAME_FEATURES): log mel powers, then VOICE_FEATURES."""
        if n_frames(samples.shape[-1]) == 0:
            return samples.new_zeros(0, N_FRAME_FEATURES)
        margin = (BLOCK - N_FFT) // 2  # the MFCC's window sits in the middle of the block
        mel = self.mfcc.MelSpectrogram(samples[margin : samples.shape[-1] - margin]).T
        power = pitch.spectrum(samples.unfold(-1, BLOCK, HOP_LENGTH))
        return torch.cat([torch.log(mel + _ABSOLUTE_FLOOR), _voice_features(power)], dim=-1)

    def network_input(self, frames: Tensor, speech: Tensor, relative: Tensor) -> Tensor:
        """Frame features (..., T, N_FRAME_FEATURES), mask (..., T) of 0 and 1, `relative` powers -> (..., T, N_FEATURES).

        The same for any gain of the sound, as long as it stays well above rounding. Zero outside of the mask and, for
        the features that need a vibrating voice, outside of voiced frames.
        """
        cepstrum = torch.log(relative + _RELATIVE_FLOOR) @ self.mfcc.dct_mat
        loudness = torch.log(relative.mean(-1, keepdim=True) + _RELATIVE_FLOOR)
        log_f0, harmonicity, h1_h2, h1_a3 = frames[..., N_MELS:].unbind(-1)
        voiced = (harmonicity > _harmonicity(torch.tensor(_VOICED_ABOVE))).to(frames.dtype)
        voice = torch.stack([log_f0 * voiced, h1_h2 * voiced, h1_a3 * voiced, harmonicity, voiced], dim=-1)
        return torch.cat([cepstrum, loudness, voice], dim=-1) * speech.unsqueeze(-1)

    def encoder_input(self, speech: Tensor, relative: Tensor) -> Tensor:
        """Mask (..., T) and `relative` powers -> (..., T, N_MELS) as `speech_encoder` wants them: log10 of mel powers that a
        signal of unit variance would have, plus 4, over 4. Silence outside of the mask."""
        return _encoder_scale(relative * speech.unsqueeze(-1))

    @property
    def encoder_floor(self) -> float:
        """What `encoder_input` says of silence."""
        return float(_encoder_scale(torch.zeros(())))

    def relative(self, frames: Tensor, speech: Tensor) -> Tensor:
        """Frame features (..., T, N_FRAME_FEATURES) and mask (..., T) -> mel powers over the mean power of the window's speech:
        level is the microphone. (..., T, N_MELS)."""
        mel = frames[..., :N_MELS].exp()
        weight = speech.unsqueeze(-1)
        level = (mel.mean(-1, keepdim=True) * weight).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True).clamp(min=1.0)
        return mel / level.clamp(min=_ABSOLUTE_FLOOR)


def _encoder_scale(relative: Tensor) -> Tensor:
    return ((relative + _RELATIVE_FLOOR).log10() + _ENCODER_LEVEL + 4.0) / 4.0


def _harmonicity(strength: Tensor) -> Tensor:
    """Harmonics-to-noise ratio as natural logarithm, from the strength of the period; -3..3."""
    strength = strength.clamp(0.04, 0.96)
    return torch.log(strength / (1.0 - strength))


def _voice_features(power: Tensor) -> Tensor:
    """Power spectra (T, bins) of `pitch.spectrum` -> (T, 4): log_f0 (octaves), harmonicity, and the first harmonic's level
    above the second (H1-H2) and above the strongest partial of 2 to 3.6 kHz (H1-A3): pressed or breathy voice."""
    f0, strength = pitch.estimate(power)

    def level_near(frequency: Tensor) -> Tensor:
        bins = (frequency / pitch.BIN_HZ).round().long()
        around = (bins.unsqueeze(-1) + torch.arange(-1, 2)).clamp(0, power.shape[-1] - 1)
        return power.gather(-1, around).amax(-1)

    high = power[..., int(2_000 / pitch.BIN_HZ) : int(3_600 / pitch.BIN_HZ)].amax(-1)
    first, second, third = ((p + 1e-7).log() for p in (level_near(f0), level_near(2 * f0), high))
    return torch.stack([torch.log2(f0 / _F0_REFERENCE), _harmonicity(strength), first - second, first - third], dim=-1)
