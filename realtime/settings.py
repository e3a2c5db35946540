"""Every setting once, typed, with unit and range; the command line and TOML files are views of this tree.

`load(argv)` merges, later wins: defaults, `--config FILE.toml`, flags and `--set section.key=value`.
Unknown keys are refused with the nearest known one.
"""

import argparse
import difflib
import reprlib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from models.errors import UserError


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _at_home(path: Path) -> Path:
    """A shell expands `~` on its command line, but not behind `=`, and nobody does in a file. Raises ValueError."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("the home folder is not known; write the whole path") from error


def _config(text: str) -> Path:
    return _at_home(Path(text))


class Section(BaseModel):
    """A branch of the tree: immutable, unknown keys refused, `~` in paths expanded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _expand(cls, value: object) -> object:
        if isinstance(value, list):
            return [_at_home(item) if isinstance(item, Path) else item for item in value]
        return _at_home(value) if isinstance(value, Path) else value


def option(default: Any, description: str, *, flag: str = "", metavar: str = "", unit: str = "", **limits: Any) -> Any:
    """A setting: its default, what it does, its command-line flag if it has a short one, its unit and its limits."""
    return Field(default, description=description, json_schema_extra={"flag": flag, "metavar": metavar, "unit": unit}, **limits)


class Audio(Section):
    """Where the voice comes from."""

    source: str = option(
        "auto",
        "mic, mic:DEVICE (number or part of its name), a sound FILE, or demo; auto: the default microphone, or demo without one",
        flag="--audio",
        metavar="SOURCE",
    )
    offline: bool = option(False, "take a file as fast as the machine can, the same result every time", flag="--offline")
    loop: bool = option(False, "play a file again and again; offline for --seconds N", flag="--loop")
    speaker: bool = option(True, "let a file be heard on the default output while it plays")
    gain: float = option(0.0, "added to what is listened to, not to a video's sound", unit="dB", ge=-30, le=30)
    block: float = option(0.02, "length of the blocks asked of the sound device", unit="s", ge=0.005, le=0.2)

    @field_validator("source")
    @classmethod
    def _expand_file(cls, value: str) -> str:
        return str(_at_home(Path(value))) if value.startswith("~") else value


class Hearing(Section):
    """Who listens, and whose voice it is."""

    classifier: Path | None = option(
        None,
        "an ONNX file of your own that hears emotion, with its labels in a JSON file beside it (docs/emotion.md)",
        flag="--classifier",
        metavar="FILE.onnx",
    )

    voice_profile: Annotated[list[Path], BeforeValidator(_one_or_many)] = option(
        [],
        "what is known of the performer's voice, made by python -m tools.enrol_voice FILE; of several performers, several times",
        flag="--voice-profile",
        metavar="FILE",
    )


class Face(Section):
    """Whose face answers."""

    name: str = option(
        "",
        "seed:N; a face of the bank plays at once, any other as predicted; empty: the bank's first",
        flag="--face",
        metavar="seed:N",
    )
    truncation: float = option(
        0.7,
        "of an own generator: 1 draws its pictures as they are, 0 the mean of all",
        flag="--truncation",
        metavar="PSI",
        ge=-2,
        le=2,
    )
    networks: Path | None = option(
        None,
        "folder with the networks that steer the search for a new face's expressions; without it our own student of them steers",
        flag="--networks",
        metavar="DIR",
    )
    walks: bool = option(
        False, "of an own generator: learn no expressions, let each emotion lead towards another of its pictures", flag="--walks"
    )


class Expression(Section):
    """How the voice becomes movement."""

    strength: float = option(1.0, "how far the face goes", flag="--strength", metavar="X", ge=0, le=2)
    attack: float = option(0.4, "time in which an emotion reaches 90 % of its target", unit="s", ge=0, le=10)
    release: float = option(1.5, "time in which the face lets go to 10 %", unit="s", ge=0, le=10)
    hold: float = option(1.0, "how long an expression stays after the voice ends", unit="s", ge=0, le=10)
    mouth: float = option(1.0, "how strongly the voice moves mouth and brows at once", ge=0, le=2)
    life: float = option(
        1.0, "how strongly a resting face breathes and blinks; 0 turns it off", flag="--life", metavar="X", ge=0, le=2
    )
    seed: int = option(0, "of the idle life", ge=0, le=2**31 - 1)


class Picture(Section):
    """How frames are made."""

    size: Annotated[Literal[256, 512, 1024], BeforeValidator(_number)] = option(
        256, "side of the picture", flag="--size", unit="pixels"
    )
    quality: Literal["auto", "fast", "fine", "full"] = option(
        "auto",
        "fast or fine: 256² and 512² by short ways out of the generator, fast at 256² only; full: the whole generator, shrunk; "
        "auto: fine, or in a live show fast where this machine draws fewer than 20 fine ones a second",
        flag="--quality",
    )
    generator: Path | None = option(
        None,
        "a StyleGAN2 or StyleGAN3 of your own: a .pkl, a .pt, or a folder of tools.convert_checkpoint",
        flag="--generator",
        metavar="FILE|FOLDER",
    )
    label: int | None = option(
        None, "the class that a class-conditional generator draws", flag="--label", metavar="N", ge=0, le=99_999
    )
    backend: Literal["auto", "openvino", "onnxruntime", "torch", "tensorrt"] = option(
        "auto", "what runs the generator", flag="--backend"
    )
    fps: float = option(60.0, "upper limit of drawn frames per second", unit="1/s", ge=1, le=240)


class Window(Section):
    """The window on the screen."""

    enabled: bool = option(True, "show a window; without a screen a video is written instead", flag="--window")
    fullscreen: bool = option(False, "start in fullscreen", flag="--fullscreen")
    mirror: bool = option(False, "mirror the picture, as a looking-glass does")
    smooth: bool = option(
        True,
        "fade from frame to frame where the generator is slower than the display; delays by up to one frame",
        flag="--smooth",
    )
    rate: float = option(60.0, "pictures of the display per second while it fades", unit="1/s", ge=20, le=240)
    hud: bool = option(True, "show the head-up display (H toggles it)", flag="--hud")
    snapshots: Path = option(Path(), "folder that S saves pictures to")


class Video(Section):
    """The video file."""

    file: Path | None = option(None, "write picture and sound to FILE (.mp4, .mkv or .mov)", flag="--video", metavar="FILE")
    fps: float = option(25.0, "frames per second of an offline video", flag="--video-fps", metavar="N", unit="1/s", ge=1, le=120)


class Osc(Section):
    """Open Sound Control over UDP."""

    targets: Annotated[list[str], BeforeValidator(_one_or_many)] = option(
        [], "send to HOST:PORT; may be given several times", flag="--osc", metavar="HOST:PORT"
    )
    flat: bool = option(False, "add a flat alias for every nested address")
    ttl: int = option(1, "time to live of multicast packets", ge=0, le=255)
    broadcast: bool = option(False, "allow broadcast addresses as targets")


class Run(Section):
    """The show as a whole."""

    seconds: float | None = option(None, "end after N seconds", flag="--seconds", metavar="N", unit="s", gt=0)
    stats: Path | None = option(None, "write times, drops and latencies to FILE.json at the end", flag="--stats", metavar="FILE")
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info", "how much is told on the terminal", flag="--log-level"
    )


class Settings(Section):
    """The whole tree."""

    audio: Audio = Audio()
    hearing: Hearing = Hearing()
    face: Face = Face()
    expression: Expression = Expression()
    picture: Picture = Picture()
    window: Window = Window()
    video: Video = Video()
    osc: Osc = Osc()
    run: Run = Run()


def walk() -> Iterator[tuple[str, str, FieldInfo]]:
    """Every setting as (section, key, field), in the order of the tree."""
    for section, branch in Settings.model_fields.items():
        kind = branch.annotation
        assert isinstance(kind, type) and issubclass(kind, Section)
        for key, field in kind.model_fields.items():
            yield section, key, field


def load(argv: Sequence[str]) -> tuple[Settings, argparse.Namespace]:
    """Settings from the command line `argv` and the TOML file it may name; the namespace holds what is no setting.

    Raises `UserError` for an unknown key or a value out of range, naming both; argparse exits with 2 for an unknown flag.
    """
    namespace = _parser().parse_args(argv)
    tree: dict[str, dict[str, Any]] = _read_toml(namespace.config) if namespace.config else {}
    for section, key, field in walk():
        if _extra(field)["flag"] and (value := getattr(namespace, f"{section}.{key}")) is not None:
            tree.setdefault(section, {})[key] = value
    for assignment in namespace.set:
        section, key, value = _split_assignment(assignment)
        tree.setdefault(section, {})[key] = value
    return _validate(tree), namespace


def _extra(field: FieldInfo) -> dict[str, str]:
    assert isinstance(field.json_schema_extra, dict)
    return {key: str(value) for key, value in field.json_schema_extra.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="speech2expression",
        description="A voice drives a photo-real face, live.",
        epilog="example: speech2expression --audio speech.wav --offline --video face.mp4",
        argument_default=None,
    )
    for section, key, field in walk():
        extra = _extra(field)
        if not extra["flag"]:
            continue
        unit = f" [{extra['unit']}]" if extra["unit"] else ""
        text = f"{field.description}{unit} (default: {_shown(field.default)})"
        common: dict[str, Any] = {"dest": f"{section}.{key}", "help": text.replace("%", "%%"), "default": None}
        if field.annotation is bool:
            parser.add_argument(extra["flag"], action=argparse.BooleanOptionalAction, **common)
        elif get_origin(field.annotation) is list:
            parser.add_argument(extra["flag"], action="append", metavar=extra["metavar"], **common)
        else:
            parser.add_argument(extra["flag"], metavar=extra["metavar"] or _choices(field), **common)
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="any setting of the tree (docs/settings.md)"
    )
    parser.add_argument("--config", type=_config, metavar="FILE", help="a TOML file with the same tree")
    parser.add_argument("--list-devices", action="store_true", help="name the sound devices and end")
    return parser


def _shown(default: object) -> str:
    return "none" if default in (None, [], "") else str(default)


def _choices(field: FieldInfo) -> str:
    choices = getattr(field.annotation, "__args__", ())
    return "{" + ",".join(str(choice) for choice in choices) + "}"


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"settings file {path} cannot be read ({error.strerror}); name a TOML file that exists") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"settings file {path} is no TOML: {error}") from error
    except RecursionError as error:
        raise UserError(f"settings file {path} nests its values too deeply; no setting needs more than a list") from error
    for section, branch in tree.items():
        if section in Settings.model_fields and not isinstance(branch, dict):
            raise UserError(
                f"setting {section} in {path} is a section, got {reprlib.repr(branch)}; write [{section}] and its keys below"
            )
    return tree


def _split_assignment(assignment: str) -> tuple[str, str, str]:
    path, equals, value = assignment.partition("=")
    section, dot, key = path.strip().partition(".")
    if not (equals and dot):
        raise UserError(f"--set expects SECTION.KEY=VALUE, got {assignment!r}")
    return section, key, value.strip()


def _validate(tree: dict[str, dict[str, Any]]) -> Settings:
    known = [f"{section}.{key}" for section, key, _ in walk()]
    for section, branch in tree.items():
        for key in branch if isinstance(branch, dict) and branch else [""]:
            name = f"{section}.{key}".rstrip(".")
            if name not in known and name not in Settings.model_fields:
                raise UserError(f"unknown setting {name!r}; the nearest known one is {_nearest(name, known)!r}")
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:2])
        raise UserError(f"setting {name}: {first['msg'].lower()}, got {reprlib.repr(first['input'])}") from error


def _nearest(name: str, known: list[str]) -> str:
    # A key in the wrong section is as likely as a typing error, so the key alone is compared as well.
    key = name.partition(".")[2]
    same_key = [candidate for candidate in known if key and candidate.endswith("." + key)]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return same_key[0] if same_key else close[0]
