"""Sound from outside: whatever numbers come, finite ones of a sensible size go on."""

import numpy as np

from realtime.sound.audible import LOUDEST, audible


def test_usual_sound_is_left_as_it_is() -> None:
    samples = np.random.default_rng(0).uniform(-2, 2, (100, 2)).astype(np.float32)
    assert np.array_equal(audible(samples), samples)


def test_what_is_no_number_is_silence_and_what_is_far_too_loud_is_cut() -> None:
    samples = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.25], np.float32)
    assert audible(samples).tolist() == [0, LOUDEST, -LOUDEST, LOUDEST, -LOUDEST, 0.25]
