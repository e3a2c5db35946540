"""Writes docs/settings.md from the settings tree, so that the page can't say anything else than the program.

python -m tools.write_settings_doc
"""

import sys
import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from models.errors import exit_on_user_error
from realtime.settings import Settings, walk

DOC = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


def page() -> str:
    """The whole page, Markdown."""
    lines = [
        "# Settings",
        "",
        "Every setting once: on the command line as the flag, or any of them as `--set section.key=value`; in a TOML file",
        "given with `--config` as `[section]` and `key = value`. Later wins: default, file, command line.",
        "Unknown keys are refused. This page is written by `python -m tools.write_settings_doc`.",
    ]
    section = ""
    for name, key, field in walk():
        if name != section:
            section = name
            kind = Settings.model_fields[name].annotation
            assert kind is not None
            lines += [
                "",
                f"## [{name}] {kind.__doc__}",
                "",
                "| key | flag | default | range | meaning |",
                "|---|---|---|---|---|",
            ]
        extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        flag = f"`{extra['flag']}`" if extra["flag"] else ""
        lines.append(f"| `{key}` | {flag} | {shown(field)} | {range_of(field, extra['unit'])} | {field.description} |")
    return "\n".join(lines) + "\n"


def shown(field: FieldInfo) -> str:
    """The default as TOML would have it."""
    if field.default in (None, [], ""):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def range_of(field: FieldInfo, unit: str) -> str:
    """Limits or choices, with the unit."""
    low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    above = next((limit.gt for limit in field.metadata if isinstance(limit, Gt)), None)
    high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    if get_origin(field.annotation) is Literal:
        text = ", ".join(str(choice) for choice in get_args(field.annotation))
    elif above is not None:
        text = f"above {above}"
    elif low is not None:
        text = f"{low} … {high}"
    elif field.annotation is bool:
        text = "true, false"
    else:
        text = "" if isinstance(field.annotation, types.UnionType) else getattr(field.annotation, "__name__", "")
    return f"{text} {unit}".strip()


@exit_on_user_error
def main() -> None:
    DOC.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
