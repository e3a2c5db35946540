"""The settings tree: one place, typed, and a typing error is answered with the nearest known key."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.choose import BACKENDS
from models.errors import UserError
from models.stylegan.pixels import QUALITIES
from realtime.settings import Settings, load, walk


def test_defaults_are_valid_and_complete() -> None:
    assert load([])[0] == Settings()


def test_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "show.toml"
    file.write_text('[expression]\nstrength = 0.5\nattack = 0.2\n[osc]\ntargets = ["localhost:9000"]\n')
    settings, _ = load(["--config", str(file), "--strength", "1.5"])
    assert (settings.expression.strength, settings.expression.attack) == (1.5, 0.2)
    assert settings.osc.targets == ["localhost:9000"]


def test_every_backend_can_be_asked_for() -> None:
    field = next(field for section, key, field in walk() if (section, key) == ("picture", "backend"))
    assert set(get_args(field.annotation)) == {"auto", *BACKENDS}


def test_every_quality_can_be_asked_for() -> None:
    field = next(field for section, key, field in walk() if (section, key) == ("picture", "quality"))
    assert get_args(field.annotation) == ("auto", *QUALITIES)


def test_help_and_typing_errors_do_not_wait_for_torch() -> None:
    code = "import sys, realtime.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_osc_targets_may_be_repeated() -> None:
    assert load(["--osc", "a:1", "--osc", "b:2"])[0].osc.targets == ["a:1", "b:2"]


def test_every_setting_can_be_set_by_its_path() -> None:
    for section, key, field in walk():
        if field.default is None:
            continue
        value = str(field.default[0] if isinstance(field.default, list) and field.default else field.default)
        if isinstance(field.default, list):
            value = "host:1"
        assert load(["--set", f"{section}.{key}={value}"])


@pytest.mark.parametrize(
    ("assignment", "nearest"),
    [
        ("expresion.attack=1", "expression.attack"),
        ("audio.attack=1", "expression.attack"),
        ("expression.atack=1", "expression.attack"),
        ("osc.target=x:1", "osc.targets"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(assignment: str, nearest: str) -> None:
    with pytest.raises(UserError, match=rf"nearest known one is '{nearest}'"):
        load(["--set", assignment])


@pytest.mark.parametrize(
    "arguments",
    [["--size", "300"], ["--strength", "3"], ["--strength", "loud"], ["--backend", "gpu"], ["--seconds", "0"], ["--set", "x"]],
)
def test_values_out_of_range_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UserError):
        load(arguments)


@pytest.mark.parametrize(
    "text", ["not toml", "audio = 3", "[audio]\nvolume = 1", "[sound]\nx = 1", "a = " + 3000 * "[" + 3000 * "]"]
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "show.toml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        load(["--config", str(file)])
    assert "\n" not in str(error.value).strip()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load(["--config", str(tmp_path / "none.toml")])


@given(st.text(max_size=30))
def test_any_assignment_is_taken_or_refused(text: str) -> None:
    try:
        settings, _ = load(["--set=" + text])
    except UserError:
        return
    assert isinstance(settings, Settings)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(UserError):
        load(["--set", "expression.strength=nan"])


def test_the_home_folder_is_meant_by_a_tilde_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "show.toml").write_text('[audio]\nsource = "~/voice.wav"\n[video]\nfile = "~/face.mp4"\n')
    settings, _ = load(["--config=~/show.toml", "--set", "window.snapshots=~", "--stats=~/times.json"])
    assert settings.audio.source == str(tmp_path / "voice.wav")
    assert settings.video.file == tmp_path / "face.mp4"
    assert settings.window.snapshots == tmp_path
    assert settings.run.stats == tmp_path / "times.json"
    paths = [(section, key) for section, key, field in walk() if "Path" in str(field.annotation)]
    for section, key in paths:
        tree, _ = load(["--set", f"{section}.{key}=~/x"])
        assert getattr(getattr(tree, section), key) in (tmp_path / "x", [tmp_path / "x"])
    assert len(paths) >= 7


def test_a_home_folder_that_is_not_known_is_refused() -> None:
    with pytest.raises(UserError, match=r"video\.file: .*home folder is not known"):
        load(["--set", "video.file=~no-such-user/face.mp4"])


def test_of_several_performers_a_flag_may_come_several_times_and_a_file_may_hold_one_or_a_list(tmp_path: Path) -> None:
    ada, ben = tmp_path / "ada.voice", tmp_path / "ben.voice"
    settings, _ = load(["--voice-profile", str(ada), "--voice-profile", str(ben)])
    assert settings.hearing.voice_profile == [ada, ben]
    for written, expected in ((f'"{ada}"', [ada]), (f'["{ada}", "{ben}"]', [ada, ben])):
        (tmp_path / "show.toml").write_text(f"[hearing]\nvoice_profile = {written}\n")
        settings, _ = load(["--config", str(tmp_path / "show.toml")])
        assert settings.hearing.voice_profile == expected
