"""Settings out of TOML files: which files there are, and what is wrong in them, said with the key and the file."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from stratopt.errors import ConfigurationError

FILE_VARIABLE = "STRATOPT_CONFIG_FILE"
PROJECT_FILE = "stratopt.toml"


def user_file() -> Path:
    """The file that holds for all folders of a user: ``$XDG_CONFIG_HOME/stratopt/config.toml``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "stratopt" / "config.toml"


def config_files() -> list[tuple[str, Path]]:
    """Kind and path of every file that is looked at, the strongest first; a file that is named is the only one.

    Raises
    ------
    ConfigurationError
        The named file is not there. The others may be missing.
    """
    named = os.environ.get(FILE_VARIABLE)
    if not named:
        return [("project file", Path.cwd() / PROJECT_FILE), ("user file", user_file())]
    path = Path(named).absolute()
    if not path.exists():
        raise ConfigurationError(f"there is no configuration file {path}; it is named by {FILE_VARIABLE} or --config")
    return [("named file", path)]


def read_settings(path: Path, fields: type[BaseModel]) -> dict[str, Any]:
    """Settings that a file gives; none if there is no such file. Paths in it begin at its folder, or at home with ``~``.

    Raises
    ------
    ConfigurationError
        The file is no TOML, has an unknown key, or a value of the wrong type or out of its limits.
    """
    document = _document(path)
    if not document:
        return {}
    try:
        values = fields.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_problem(found, path, list(fields.model_fields)) for found in error.errors()), file=str(path)
        ) from error
    return {name: _from_folder(getattr(values, name), path.parent) for name in document}


def _document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}", file=str(path)) from error
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", file=str(path)) from error


def _from_folder(value: Any, folder: Path) -> Any:
    return folder / value.expanduser() if isinstance(value, Path) else value


def _problem(found: Mapping[str, Any], path: Path, known: list[str]) -> str:
    key = ".".join(map(str, found["loc"]))
    if found["type"] != "extra_forbidden":
        return f"{path}: {key} = {json.dumps(found['input'])}: {found['msg']}"
    near = difflib.get_close_matches(key.lower().removeprefix("stratopt_"), known, n=1, cutoff=0.5)
    return f"{path}: {key} is not a setting; " + (
        f"did you mean {near[0]}?" if near else "`stratopt config show` lists them"
    )
