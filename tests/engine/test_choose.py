"""Which backend is taken: the one that is named, or the fastest that opens, with every failure told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import cache, choose
from engine.backend import BACKENDS, Backend
from engine.choose import live_quality, open_backend
from engine.nvidia import Gpu
from models.errors import UserError
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels, Quality


class Counted(Backend):
    """Paints grey and says how often it was opened and closed."""

    name = "counted"
    log: ClassVar[list[str]] = []

    def __init__(self, pixels: Pixels, milliseconds: float) -> None:
        super().__init__(pixels)
        self.milliseconds = milliseconds
        self.log.append(f"open {milliseconds:.0f}")

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.zeros((self.size, self.size, 3), np.uint8)

    def _free(self) -> None:
        self.log.append(f"close {self.milliseconds:.0f}")


def failing(reason: str, kind: type[Exception] = UserError) -> Callable[[Pixels], Backend]:
    def opener(pixels: Pixels) -> Backend:
        raise kind(reason)

    return opener


class Disturbed(Counted):
    """Takes its milliseconds by a clock of the test's, and mostly three times as long, since the machine does something else."""

    now: ClassVar[float] = 0.0

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        calm = len(self.log) % 5 == 0
        self.log.append("draw")
        Disturbed.now += self.milliseconds / 1000 * (1 if calm else 3)
        return super()._draw(ws)


def test_a_picture_takes_what_it_takes_undisturbed(generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose.time, "perf_counter", lambda: Disturbed.now)
    with Disturbed(Pixels(generator, 256), 40) as backend:
        assert choose.milliseconds(backend) == pytest.approx(40)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Callable[[Pixels], Backend]]]:
    """The table of backends, empty, with invented times: each `Counted` takes the milliseconds it was given."""
    shipped = dict(BACKENDS)
    BACKENDS.clear()
    monkeypatch.setattr(cache, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(choose, "milliseconds", lambda backend: backend.milliseconds)
    Counted.log.clear()
    yield BACKENDS
    BACKENDS.clear()
    BACKENDS.update(shipped)


def test_auto_takes_the_fastest_and_remembers_it(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN
) -> None:
    known["slow"] = lambda pixels: Counted(pixels, 90)
    known["fast"] = lambda pixels: Counted(pixels, 30)
    known["absent"] = failing("its library is not installed")
    with open_backend(generator, 512) as backend:
        assert isinstance(backend, Counted)
        assert backend.milliseconds == 30
    assert Counted.log == ["open 90", "close 90", "open 30", "close 30", "open 30", "close 30"]
    Counted.log.clear()
    open_backend(generator, 512).close()
    assert Counted.log == ["open 30", "close 30"]


@pytest.mark.parametrize("kind", [UserError, RuntimeError])
def test_what_was_fastest_but_is_gone_is_replaced(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, kind: type[Exception]
) -> None:
    known["slow"] = lambda pixels: Counted(pixels, 90)
    known["fast"] = lambda pixels: Counted(pixels, 30)
    open_backend(generator, 512).close()
    known["fast"] = failing("the GPU fell off", kind)
    with open_backend(generator, 512) as backend:
        assert isinstance(backend, Counted)
        assert backend.milliseconds == 90


def test_every_quality_remembers_its_own(known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN) -> None:
    """The fastest way of one graph need not be that of another, and going to and fro measures nothing anew."""
    known["steady"] = lambda pixels: Counted(pixels, 60)
    known["good at heads"] = lambda pixels: Counted(pixels, 90 if pixels.head is None else 30)
    expected: list[tuple[Quality, float]] = [("fine", 30), ("full", 60), ("fine", 30)]
    for quality, milliseconds in expected:
        Counted.log.clear()
        with open_backend(generator, 256, quality=quality) as backend:
            assert isinstance(backend, Counted)
            assert backend.milliseconds == milliseconds
    assert Counted.log == ["open 30", "close 30"]


def test_what_could_not_be_opened_is_measured_once_it_can(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    known["gpu"] = failing("out of memory", RuntimeError)
    known["steady"] = lambda pixels: Counted(pixels, 60)
    open_backend(generator, 512).close()
    assert live_quality(generator, 256) == "fast"
    Counted.log.clear()
    open_backend(generator, 512).close()
    assert Counted.log == ["open 60", "close 60"], "it is still full, and nothing is measured anew"
    known["gpu"] = lambda pixels: Counted(pixels, 5)
    with open_backend(generator, 512) as opened:
        assert isinstance(opened, Counted)
        assert opened.milliseconds == 5
    assert "gpu could not be opened when it was measured here, and can be now" in caplog.text
    assert live_quality(generator, 256) == "fine"


def test_what_opens_but_can_not_draw_is_not_tried_at_every_start(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    def milliseconds(backend: Backend) -> float:
        assert isinstance(backend, Counted)
        if backend.milliseconds == 1:
            raise RuntimeError("no kernel image is available")
        return backend.milliseconds

    monkeypatch.setattr(choose, "milliseconds", milliseconds)
    known["odd"] = lambda pixels: Counted(pixels, 1)
    known["steady"] = lambda pixels: Counted(pixels, 60)
    open_backend(generator, 512).close()
    Counted.log.clear()
    open_backend(generator, 512).close()
    assert Counted.log == ["open 60", "close 60"]


def test_another_gpu_or_driver_is_measured_anew(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    known["steady"] = lambda pixels: Counted(pixels, 60)
    seen = []
    for driver in ("580.65", "580.95", "580.95"):
        choose._parts.cache_clear()
        monkeypatch.setattr(choose, "gpus_at_start", lambda driver=driver: [Gpu("RTX 4070", driver, "8.9", 8188, 210, None)])
        Counted.log.clear()
        open_backend(generator, 512).close()
        seen.append(len(Counted.log))
    choose._parts.cache_clear()
    assert seen == [4, 4, 2]


@pytest.mark.parametrize(
    "note", ["steady", ["steady"], {"best": ["steady"]}, {"best": "gone", "refused": []}, {"best": "steady"}, 7]
)
def test_a_note_that_says_something_else_is_measured_anew(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch, note: object
) -> None:
    known["steady"] = lambda pixels: Counted(pixels, 60)
    monkeypatch.setattr(cache, "recall", lambda subject, key: note)
    open_backend(generator, 512).close()
    assert Counted.log == ["open 60", "close 60"] * 2
    assert live_quality(generator, 256) == "fast"


@pytest.mark.parametrize(("milliseconds", "quality"), [(30, "fine"), (90, "fast")])
def test_live_the_quality_is_what_this_machine_can_draw_in_time(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, milliseconds: float, quality: Quality
) -> None:
    known["only"] = lambda pixels: Counted(pixels, milliseconds)
    assert live_quality(generator, 256) == quality
    Counted.log.clear()
    assert live_quality(generator, 256) == quality
    assert Counted.log == []  # it was measured once
    assert live_quality(generator, 512) == live_quality(generator, 1024) == "fine"  # nothing faster is there
    assert Counted.log == []


def test_if_none_opens_all_reasons_are_told(known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN) -> None:
    known["a"], known["b"] = failing("no library"), failing("no GPU")
    with pytest.raises(UserError, match="a: no library; b: no GPU"):
        open_backend(generator, 512)


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, ImportError, AttributeError])
def test_whatever_a_library_says_when_it_is_opened_is_one_line(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, kind: type[Exception]
) -> None:
    known["odd"] = failing("CUDA error: 999\nCompile with TORCH_USE_CUDA_DSA", kind)
    for backend in ("odd", "auto"):
        with pytest.raises(UserError, match=rf"odd can't be opened here \({kind.__name__}: CUDA error: 999 Compile .*--backend"):
            open_backend(generator, 512, backend)
    known["steady"] = lambda pixels: Counted(pixels, 60)
    with open_backend(generator, 512) as opened:
        assert opened.name == "counted"


def test_what_can_not_be_opened_again_after_it_was_the_fastest_gives_way_to_the_next(
    known: dict[str, Callable[[Pixels], Backend]], generator: MobileStyleGAN, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def once(pixels: Pixels) -> Backend:
        known["once"] = failing("out of memory", RuntimeError)
        return Counted(pixels, 30)

    known["once"] = once
    known["steady"] = lambda pixels: Counted(pixels, 60)
    with open_backend(generator, 512) as opened:
        assert isinstance(opened, Counted)
        assert opened.milliseconds == 60
    assert "the fastest here (steady 60 ms)" in caplog.text
    assert "out of memory" in caplog.text
    known.pop("steady")
    known["once"] = once
    with pytest.raises(UserError, match=r"nothing on this machine can draw: once: .*out of memory"):
        open_backend(generator, 512)


@pytest.mark.parametrize(("size", "backend", "complaint"), [(300, "auto", "300"), (256, "vulkan", "vulkan.*openvino")])
def test_what_does_not_exist_is_refused(generator: MobileStyleGAN, size: int, backend: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        open_backend(generator, size, backend)


def test_a_named_backend_is_opened(generator: MobileStyleGAN) -> None:
    with open_backend(generator, 256, "openvino") as backend:
        backend.warm_up()
        assert backend.name == "openvino"
        assert "OpenVINO" in backend.description
