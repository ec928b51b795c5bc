"""What is wrong in a configuration file is said with the key, the value and the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratopt.errors import ConfigurationError
from stratopt.settings import SettingFields
from stratopt.settings_file import read_settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wrokers = 4", ["wrokers is not a setting", "did you mean workers?"]),
        ("STRATOPT_WORKERS = 4", ["did you mean workers?"]),
        ("api_key = 'x'", ["did you mean api_key_file?"]),
        ("[tool.stratopt]\nworkers = 4", ["tool is not a setting"]),
        ('workers = "4"', ['workers = "4"', "integer"]),
        ("workers = true", ["workers = true", "integer"]),
        ("workers = 0", ["workers = 0", "greater than or equal to 1"]),
        ("webhooks = 1", ["webhooks = 1", "boolean"]),
        ("data_dir = 5", ["data_dir = 5"]),
        ("data_dir = 2020-01-01\nworkers = 1.5", ["workers = 1.5"]),
        ("checkpoint_seconds = 0", ["checkpoint_seconds = 0", "greater than 0"]),
        ("webhook_allowed_networks = 'here'", ["webhook_allowed_networks", "here"]),
        ("workers 4", ["is not TOML", "line 1"]),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "stratopt.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path, SettingFields)
    assert all(word in caught.value.message for word in [*words, str(path)]), caught.value.message


def test_a_file_that_is_not_there_or_empty_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "stratopt.toml"
    assert read_settings(path, SettingFields) == {}
    path.write_text("# nothing\n")
    assert read_settings(path, SettingFields) == {}


def test_every_setting_can_stand_in_a_file(tmp_path: Path) -> None:
    """Each default is written as TOML and read back."""
    path = tmp_path / "stratopt.toml"
    defaults = {name: value for name, value in SettingFields().model_dump(mode="json").items() if value is not None}
    texts = {True: "true", False: "false"}
    lines = [f"{name} = {texts[value] if isinstance(value, bool) else repr(value)}" for name, value in defaults.items()]
    path.write_text("\n".join(lines))
    read = SettingFields(**read_settings(path, SettingFields))
    assert read == SettingFields()
