"""The head-up display says whose voice it is, where a profile of hers is known."""

from dataclasses import replace

import numpy as np

from realtime.outputs.hud import Reading, draw_hud
from realtime.values import Controls, Frame, Heard, Prosody

READING = Reading(60.0, None, "seed:1", "demo", "")


def drawn(voice: str, *, speaking: bool = True) -> np.ndarray:
    weights = np.eye(5, dtype=np.float32)[3]
    heard, prosody = Heard(0.0, weights, 1.0, speaking, 0.5, 0.9, 0.5, voice), Prosody(0.0, -20.0, 200.0, 1.0, 4.0)
    picture = np.full((768, 768, 3), 128, np.uint8)
    controls = Controls(0.0, weights, 1.0, {}, heard, prosody)
    draw_hud(picture, Frame(0, controls, None, 0.0, picture), READING)
    return picture


def test_the_name_stands_where_voice_would_while_she_speaks() -> None:
    changed = np.argwhere((drawn("ada") != drawn("")).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert right < 90 and bottom - top < 26 and left >= 16  # the label beside the level
    np.testing.assert_array_equal(drawn("ada", speaking=False), drawn("", speaking=False))


def test_a_long_name_leaves_the_level_to_be_read() -> None:
    np.testing.assert_array_equal(drawn("Margarethe von der Ahé"), drawn("Margaret"))


def test_how_far_a_search_is_stands_at_the_bottom_and_nothing_else_moves() -> None:
    plain, searching = (np.full((768, 768, 3), 128, np.uint8) for _ in range(2))
    frame = Frame(0, Controls(0.0, np.eye(5, dtype=np.float32)[1], 1.0, {}), None, 0.0, plain)
    draw_hud(plain, frame, READING)
    draw_hud(searching, frame, replace(READING, search="finding its expressions: 40%"))
    changed = np.argwhere((plain != searching).any(axis=2))
    assert len(changed) and changed[:, 0].min() > 700
