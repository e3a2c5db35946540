"""A backend that dies in the middle of a show is replaced by the next one."""

import numpy as np
import pytest

from models.errors import UserError
from realtime.lasting_engine import LastingEngine


class Backend:
    """Draws `frames` pictures of one colour, then fails for good."""

    size, description = 4, "a test"

    def __init__(self, name: str, frames: float) -> None:
        self.name, self._frames, self.closed = name, frames, False

    def render(self, ws: np.ndarray) -> np.ndarray:
        self._frames -= 1
        if self._frames < 0:
            raise RuntimeError(f"{self.name} is gone")
        return np.full((4, 4, 3), ord(self.name[0]), np.uint8)

    def warm_up(self) -> None:
        self.render(WS)

    def close(self) -> None:
        self.closed = True
        if self._frames < 0:
            raise RuntimeError(f"{self.name} cannot be freed")


WS = np.zeros((1, 2, 512), np.float32)


def engine(**frames: float) -> LastingEngine:
    def open_named(name: str) -> Backend:
        if name not in frames:
            raise UserError(f"{name} is not to be had here")
        if frames[name] < 0:
            raise UserError("out of memory")
        return Backend(name, frames[name])

    return LastingEngine(open_named, "gpu", ["npu", "gpu", "cpu"])


def test_the_next_one_draws_the_very_frame_that_failed() -> None:
    lasting = engine(gpu=2, cpu=float("inf"))
    assert [chr(lasting.render(WS)[0, 0, 0]) for _ in range(4)] == ["g", "g", "c", "c"]
    assert lasting.name == "cpu"


def test_a_failed_backend_is_closed_and_never_tried_again() -> None:
    lasting = engine(gpu=0, npu=1)
    first = lasting._backend
    assert chr(lasting.render(WS)[0, 0, 0]) == "n"
    assert first.closed
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no backend is left"):
            lasting.render(WS)


def test_a_backend_that_cannot_be_opened_at_the_start_is_the_users_to_know() -> None:
    with pytest.raises(UserError):
        engine(cpu=1)


def test_a_device_that_fails_while_warming_up_is_replaced_too() -> None:
    lasting = engine(gpu=0, cpu=float("inf"))
    lasting.warm_up()
    assert lasting.name == "cpu"


def test_with_none_left_at_the_start_the_user_is_told() -> None:
    with pytest.raises(UserError, match=r"no backend is left.*gpu is gone"):
        engine(gpu=0).warm_up()


def test_a_replacement_that_fails_while_opening_does_not_end_the_search_for_one() -> None:
    lasting = engine(gpu=1, npu=-1, cpu=1)
    assert [chr(lasting.render(WS)[0, 0, 0]) for _ in range(2)] == ["g", "c"]
    with pytest.raises(RuntimeError, match="no backend is left"):
        lasting.render(WS)
