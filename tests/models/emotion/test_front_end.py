"""Features: streaming as a whole, level taken out, MFCC as torchaudio defines them."""

import math

import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from models.emotion.front_end import BLOCK, HOP_LENGTH, N_FEATURES, N_FRAME_FEATURES, N_MELS, N_MFCC, FrontEnd, n_frames


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


def babble(n: int = 16_000, seed: int = 0) -> torch.Tensor:
    """Noise with the loudness of syllables."""
    noise = torch.randn(n, generator=torch.Generator().manual_seed(seed))
    return 0.1 * noise * (0.55 + 0.45 * torch.sin(2 * torch.pi * 4 * torch.arange(n) / 16_000))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 6_000))
def test_as_many_frames_as_promised(n: int) -> None:
    assert FrontEnd().frame_features(torch.zeros(n)).shape == (n_frames(n), N_FRAME_FEATURES)


def test_frames_do_not_depend_on_where_the_stream_was_cut(front_end: FrontEnd) -> None:
    sound = babble()
    whole = front_end.frame_features(sound)
    pieces, pending = [], torch.zeros(0)
    for part in sound.split(1_600):
        pending = torch.cat([pending, part])
        pieces.append(front_end.frame_features(pending))
        pending = pending[n_frames(len(pending)) * HOP_LENGTH :]
    assert torch.allclose(torch.cat(pieces), whole, atol=1e-4)


def test_log_mel_and_cosine_transform_are_torchaudios(front_end: FrontEnd) -> None:
    sound = 10 * babble()  # far above the floors, which differ
    # Without the relative floor and gain, the cepstrum is torchaudio's own MFCC of the block's middle.
    mel = {"n_fft": 400, "win_length": 400, "hop_length": 160, "center": False, "n_mels": N_MELS, "f_min": 0.0, "f_max": 8_000.0}
    mel |= {"norm": "slaney", "mel_scale": "slaney"}
    mfcc = torchaudio.transforms.MFCC(16_000, n_mfcc=N_MFCC, log_mels=True, melkwargs=mel)
    margin = (BLOCK - 400) // 2
    reference = mfcc(sound[margin:-margin]).T
    mine = front_end.frame_features(sound)[:, :N_MELS] @ front_end.mfcc.dct_mat
    assert torch.allclose(mine, reference, atol=1e-2)


def network_input(front_end: FrontEnd, frames: torch.Tensor, speech: torch.Tensor) -> torch.Tensor:
    return front_end.network_input(frames, speech, front_end.relative(frames, speech))


@settings(deadline=None, max_examples=20)
@given(st.floats(-30.0, 10.0))
def test_gain_is_no_feature(gain_db: float) -> None:
    front_end, sound = FrontEnd(), babble()
    speech = torch.ones(n_frames(len(sound)))
    plain, loud = (network_input(front_end, front_end.frame_features(x), speech) for x in (sound, sound * 10 ** (gain_db / 20)))
    assert torch.allclose(plain, loud, atol=0.05)


def test_digital_zero_gives_finite_features(front_end: FrontEnd) -> None:
    features = network_input(front_end, front_end.frame_features(torch.zeros(16_000)), torch.ones(97))
    assert features.shape == (97, N_FEATURES) and bool(features.isfinite().all())


def test_what_is_no_speech_is_zero_and_changes_nothing(front_end: FrontEnd) -> None:
    speech = torch.zeros(97)
    speech[20:60] = 1.0
    frames = front_end.frame_features(babble())
    other = frames.clone()
    other[60:] = front_end.frame_features(10 * babble(seed=1))[60:]
    a, b = network_input(front_end, frames, speech), network_input(front_end, other, speech)
    assert torch.equal(a, b)
    assert float(a[60:].abs().max()) == 0.0 and float(a[20:60].abs().max()) > 0.0


def test_pitch_is_in_octaves(front_end: FrontEnd) -> None:
    t = torch.arange(8_000) / 16_000
    low, high = (
        front_end.frame_features(sum(torch.sin(2 * math.pi * k * f * t) / k for k in range(1, 10)) * 0.1)[:, N_MELS].median()
        for f in (120.0, 240.0)
    )
    assert float(high - low) == pytest.approx(1.0, abs=0.05)
