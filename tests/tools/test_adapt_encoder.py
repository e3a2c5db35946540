"""The encoder learns with the network, from the clips it may hear and from no others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.emotion.embedding import N_EMBEDDING
from models.emotion.front_end import N_FRAME_FEATURES
from models.emotion.network import EmotionNetwork
from models.emotion.speech_encoder import SpeechEncoder
from models.labels import EMOTIONS
from tools import adapt_encoder
from tools.adapt_encoder import VOICES, WINDOWS, Recorded, VoiceBatch, VoiceBatches, adapt
from tools.emotion_corpus import Clip, Copy
from tools.emotion_examples import WINDOW_FRAMES

FRAMES = 60  # of every clip
FIRST = 7  # the clips stand behind others


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """Two corpora of three voices, each emotion twice; emotions differ in their spectrum."""
    clips = [
        Clip(Path(f"{corpus}{speaker}{emotion}{take}"), corpus, f"{corpus}{speaker}", emotion)
        for corpus in ("one", "two")
        for speaker in range(3)
        for emotion in range(len(EMOTIONS))
        for take in range(2)
    ]
    random = np.random.default_rng(0)
    frames = random.normal(-4, 1, (len(clips), FRAMES, N_FRAME_FEATURES)).astype(np.float16)
    for number, clip in enumerate(clips):
        frames[number, :, 12 * clip.emotion : 12 * clip.emotion + 12] += 3
    ends = np.arange(len(clips) + 1) * FRAMES
    copy = Copy(frames.reshape(-1, N_FRAME_FEATURES), np.ones(len(clips) * FRAMES, bool), ends)
    return Recorded(FIRST, clips, [copy, copy])


def everything(recorded: Recorded) -> np.ndarray:
    return FIRST + np.arange(len(recorded.clips))


def test_a_batch_is_some_voices_with_several_windows_each(recorded: Recorded) -> None:
    for _, batch in zip(range(3), VoiceBatches([recorded], everything(recorded), 0), strict=False):
        assert batch.frames.shape == (VOICES * WINDOWS, WINDOW_FRAMES, N_FRAME_FEATURES)
        assert batch.speech.shape == batch.frames.shape[:2] and bool((batch.speech.sum(1) > 0).all())
        speakers = np.array([recorded.clips[n - FIRST].speaker for n in batch.clips]).reshape(VOICES, WINDOWS)
        assert (speakers == speakers[:, :1]).all() and len(set(speakers[:, 0])) > 1


def test_only_what_may_be_heard_is_drawn(recorded: Recorded) -> None:
    among = everything(recorded)[[clip.speaker != "one1" for clip in recorded.clips]]
    among = np.concatenate([[0, 1, FIRST - 1], among])  # of other folders
    drawn = np.concatenate([b.clips for _, b in zip(range(4), VoiceBatches([recorded], among, 0), strict=False)])
    assert set(drawn) == set(among[3:])


def test_no_window_is_met_by_what_it_says_itself(recorded: Recorded) -> None:
    network = EmotionNetwork()
    vectors = torch.randn(VOICES * WINDOWS, N_EMBEDDING)
    speech = torch.full((VOICES * WINDOWS, 1), 100.0)
    same = VoiceBatch(np.repeat(np.arange(VOICES), WINDOWS), torch.zeros(0), speech)
    centres, known = adapt_encoder._met(network, vectors, same)
    assert not known.any() and torch.equal(centres, network.mean.expand_as(centres))
    other = VoiceBatch(np.arange(VOICES * WINDOWS), torch.zeros(0), speech)
    centres, known = adapt_encoder._met(network, vectors, other)
    assert 0.2 < float((known > 0).float().mean()) < 0.7 and float(known.max()) < 1
    assert bool((centres[known == 0] == network.mean).all()) and not bool((centres[known > 0] == network.mean).all())


def test_the_layer_learns_and_the_stem_stays(recorded: Recorded) -> None:
    labels = torch.zeros(FIRST + len(recorded.clips), len(EMOTIONS))
    labels[torch.arange(FIRST, len(labels)), [clip.emotion for clip in recorded.clips]] = 1.0
    told: list[tuple[int, int]] = []

    def adapted() -> tuple[EmotionNetwork, SpeechEncoder]:
        torch.manual_seed(0)
        batches = VoiceBatches([recorded], everything(recorded), 0)
        return adapt(EmotionNetwork(), batches, labels, torch.full((len(labels),), -1.0), 3, 0, lambda *a: told.append(a))

    (network, encoder), (again, encoder_again) = adapted(), adapted()
    assert told[:3] == [(1, 3), (2, 3), (3, 3)]
    published, state = SpeechEncoder.published().state_dict(), encoder.state_dict()
    changed = {name for name, array in published.items() if not torch.equal(array, state[name])}
    assert {"query.weight", "narrow.weight", "second_norm.bias"} <= changed
    assert not changed & {"first.weight", "second.weight", "positions"}
    assert all(torch.equal(array, encoder_again.state_dict()[name]) for name, array in state.items())
    assert all(torch.equal(array, again.state_dict()[name]) for name, array in network.state_dict().items())
