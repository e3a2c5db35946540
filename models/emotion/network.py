"""The compact classifier: a temporal convolutional network with attentive statistics pooling.

S. Bai et al.: An empirical evaluation of generic convolutional and recurrent networks for sequence modeling (2018);
K. Okabe et al.: Attentive statistics pooling for deep speaker embedding (Interspeech 2018). Beside the learnt path,
plain statistics of the features over speech and over voiced speech, in the spirit of eGeMAPS' functionals
(F. Eyben et al., IEEE Transactions on Affective Computing 7, 2016), which strangers' voices upset less.
"""

import functools
from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn

from models.emotion.front_end import N_FEATURES, VOICED, VOICED_ONLY
from models.labels import EMOTIONS

_EPSILON: Final = 1e-4
_STRIDE: Final = 4  # frames, 40 ms: one step of the temporal network
_TAPS: Final = 5


class Verdict(NamedTuple):
    """Logits: `emotion` (batch, 5) in the order of EMOTIONS, `arousal` (batch,): above zero means excited."""

    emotion: Tensor
    arousal: Tensor


def masked_statistics(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time of x (batch, T, C) with weights (batch, T, 1 or C); zeros where no weight is."""
    total = weight.sum(1).clamp(min=_EPSILON)
    mean = (x * weight).sum(1) / total
    variance = (x * x * weight).sum(1) / total - mean * mean
    return mean, variance.clamp(min=0.0).add(_EPSILON).sqrt()


class _Block(nn.Module):
    """Depthwise convolution in time, then across channels, round a residual connection; (batch, T, C) in and out."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(_TAPS, channels) / _TAPS)
        self.norm = nn.LayerNorm(channels)
        self.pointwise = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        # Shifted products: several times faster on a CPU than a grouped convolution of so few channels.
        reach = _TAPS // 2 * self.dilation
        padded = nn.functional.pad(x, (0, 0, reach, reach))
        shifted = [padded[:, i * self.dilation : i * self.dilation + x.shape[1]] * self.taps[i] for i in range(_TAPS)]
        mixed = functools.reduce(torch.add, shifted)
        return x + cast(Tensor, self.pointwise(nn.functional.silu(self.norm(mixed))))


class EmotionNetwork(nn.Module):
    """Features of a window -> `Verdict`. `feature_mean` and `feature_std` (N_FEATURES,) come from the training data."""

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, channels: int = 96, dilations: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.register_buffer("feature_mean", torch.zeros(N_FEATURES))
        self.register_buffer("feature_std", torch.ones(N_FEATURES))
        self.stem = nn.Linear(2 * _STRIDE * (N_FEATURES + 1), channels)
        self.blocks = nn.Sequential(*(_Block(channels, dilation) for dilation in dilations))
        self.attention = nn.Sequential(nn.Linear(channels, 32), nn.Tanh(), nn.Linear(32, channels))
        n_functionals = 6 * N_FEATURES + 2
        self.functionals = nn.Sequential(nn.LayerNorm(n_functionals), nn.Dropout(0.3), nn.Linear(n_functionals, 96), nn.SiLU())
        self.embed = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * channels + 96, 128), nn.SiLU(), nn.Dropout(0.3))
        self.emotion = nn.Linear(128, len(EMOTIONS))
        self.arousal = nn.Linear(128, 1)

    def forward(self, features: Tensor, speech: Tensor, centre: Tensor, known: Tensor) -> Verdict:
        """Features (batch, T, N_FEATURES) of `FrontEnd.network_input`; speech (batch, T) of 0 and 1; centre
        (batch, N_FEATURES), the voice's mean or `feature_mean`; known (batch,): 0 stranger .. 1 voice well known."""
        x = standardise(features, speech, centre, self.feature_std)
        channel = known.view(-1, 1, 1).to(x.dtype) * speech.unsqueeze(-1)
        # Overlapping patches of eight frames every four: a strided convolution as one matrix product.
        frames = nn.functional.pad(torch.cat([x, channel], dim=-1), (0, 0, 2, 2 * _STRIDE))
        patches = frames.unfold(1, 2 * _STRIDE, _STRIDE).flatten(2)
        coarse = nn.functional.pad(speech, (2, 2 * _STRIDE)).unfold(1, 2 * _STRIDE, _STRIDE).amax(-1, keepdim=True)
        hidden = self.blocks(self.stem(patches))
        weight = torch.softmax(self.attention(hidden).masked_fill(coarse < 0.5, -1e4), dim=1) * coarse
        pooled = torch.cat(masked_statistics(hidden, weight), dim=-1)
        plain = self.functionals(functionals(x, speech, features[..., VOICED], known))
        embedding = self.embed(torch.cat([pooled, plain], dim=-1))
        return Verdict(self.emotion(embedding), self.arousal(embedding).squeeze(-1))


def standardise(features: Tensor, speech: Tensor, centre: Tensor, std: Tensor) -> Tensor:
    """Features minus the centre, in standard deviations; zero outside of speech and, where a voice is needed, of voicing."""
    valid = speech.unsqueeze(-1).expand_as(features).clone()
    valid[..., VOICED_ONLY] *= features[..., VOICED : VOICED + 1]
    return ((features - centre.unsqueeze(1)) / std).clamp(-6.0, 6.0) * valid


def functionals(x: Tensor, speech: Tensor, voiced: Tensor, known: Tensor) -> Tensor:
    """Standardised features (batch, T, N_FEATURES) -> (batch, 6 * N_FEATURES + 2): mean and deviation over speech and over
    voiced speech, deviation of the change over 20 and over 100 ms; share of voiced speech; `known`."""
    voice = speech * voiced
    weights = torch.stack([speech, voice], dim=1)  # (batch, 2, T)
    count = weights.sum(-1, keepdim=True)
    share = weights / count.clamp(min=1.0)
    mean = share @ x
    deviation = (share @ (x * x) - mean * mean).clamp(min=0.0).add(_EPSILON).sqrt()
    parts = [mean.flatten(1), deviation.flatten(1)]
    for step in (2, 10):
        both = (voice[:, step:] * voice[:, :-step]).unsqueeze(1)
        change = x[:, step:] - x[:, :-step]
        parts.append((both @ (change * change) / both.sum(-1, keepdim=True).clamp(min=1.0)).add(_EPSILON).sqrt().squeeze(1))
    return torch.cat([*parts, count[:, 1] / count[:, 0].clamp(min=1.0), known.unsqueeze(-1).to(x.dtype)], dim=-1)


def n_parameters(network: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in network.parameters())
