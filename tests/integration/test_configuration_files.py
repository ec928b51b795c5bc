"""Settings from TOML files: real files, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stratopt.client.client import Client

from .conftest import quick

COMMAND = [sys.executable, "-m", "stratopt.cli.main"]


class Place:
    """A home with a user file, a working folder with a project file, and the command line run there."""

    def __init__(self, root: Path) -> None:
        self.folder, self.user_file = root / "work", root / "home" / "stratopt" / "config.toml"
        self.project_file = self.folder / "stratopt.toml"
        self.folder.mkdir()
        self.user_file.parent.mkdir(parents=True)
        self.home = self.user_file.parent.parent

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STRATOPT_")}
        environment = {**inherited, "XDG_CONFIG_HOME": str(self.home), "NO_COLOR": "1", **variables}
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            env=environment,
            cwd=self.folder,
        )

    def settings(self, *arguments: str, **variables: str) -> dict[str, dict[str, Any]]:
        done = self.run(*arguments, "config", "show", "--origin", "--json", **variables)
        assert done.returncode == 0, done.stderr
        return {row["setting"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_environment_beats_the_project_file_beats_the_user_file_beats_the_default(place: Place) -> None:
    place.user_file.write_text("max_jobs = 1\nmax_streams = 1\nworkers = 1\n")
    place.project_file.write_text("max_streams = 2\nworkers = 2\n")
    found = place.settings(STRATOPT_WORKERS="3")
    told = {name: (found[name]["value"], found[name]["source"], found[name]["origin"]) for name in found}
    assert told["workers"] == (3, "environment", "STRATOPT_WORKERS")
    assert told["max_streams"] == (2, "project file", str(place.project_file))
    assert told["max_jobs"] == (1, "user file", str(place.user_file))
    assert told["retention_days"] == (30.0, "default", "default")


def test_the_files_that_are_looked_at_are_told(place: Place) -> None:
    place.user_file.write_text("")
    said = place.run("config", "show", "--origin").stderr
    assert f"user file: {place.user_file}\n" in said
    assert f"project file: {place.project_file} (not there)" in said


@pytest.mark.parametrize("by_flag", [True, False])
def test_a_named_file_takes_the_place_of_both(place: Place, by_flag: bool) -> None:
    place.user_file.write_text("max_jobs = 1\n")
    place.project_file.write_text("this is no TOML, and nobody reads it")
    (place.folder / "other.toml").write_text("max_streams = 7\n")
    arguments = ["--config", "other.toml"] if by_flag else []
    found = place.settings(*arguments, **({} if by_flag else {"STRATOPT_CONFIG_FILE": "other.toml"}))
    assert (found["max_streams"]["value"], found["max_streams"]["source"]) == (7, "named file")
    assert found["max_jobs"]["source"] == "default"
    missing = place.run("--config", "nowhere.toml", "config", "show")
    assert missing.returncode == 3
    assert str(place.folder / "nowhere.toml") in missing.stderr


def test_an_empty_variable_is_not_set(place: Place) -> None:
    place.user_file.write_text('strategy_folder = "mine"\n')
    assert place.settings(STRATOPT_STRATEGY_FOLDER="")["strategy_folder"]["source"] == "user file"


@pytest.mark.parametrize("which", ["project_file", "user_file"])
def test_a_wrong_file_gets_a_sentence_with_the_key_and_the_file(place: Place, which: str) -> None:
    path: Path = getattr(place, which)
    path.write_text("wrokers = 4\n")
    done = place.run("config", "show")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert f"{path}: wrokers is not a setting; did you mean workers?" in " ".join(done.stderr.split())


def test_numbers_and_paths_are_taken_as_a_file_writes_them(place: Place) -> None:
    """A whole number is a number of seconds; a path begins at the file's folder, or at home."""
    place.user_file.write_text('checkpoint_seconds = 2\ndata_dir = "data"\nstrategy_folder = "~/mine"\n')
    found = place.settings(HOME="/somewhere")
    assert found["checkpoint_seconds"]["value"] == 2.0
    assert found["data_dir"]["value"] == str(place.user_file.parent / "data")
    assert found["strategy_folder"]["value"] == "/somewhere/mine"


def test_secrets_are_not_shown(place: Place) -> None:
    key = "stratopt_" + "a" * 40
    place.user_file.write_text(f'api_key_file = "{key}"\nserver = "https://me:hidden@example.org"\n')
    for arguments in (["--json"], []):
        shown = place.run("config", "show", "--origin", *arguments).stdout
        assert key not in shown
        assert "hidden" not in shown
        assert "example.org" in shown


def test_help_needs_no_file(place: Place) -> None:
    place.project_file.write_text("wrong")
    assert place.run("--help").returncode == 0
    assert place.run("--version").returncode == 0


def test_the_server_of_a_file_is_spoken_to_unless_a_flag_names_another(
    place: Place, server: str, client: Client
) -> None:
    batch_id = client.optimize_batch({"strategies": ["RSI"], "common_config": quick()}).wait().batch_id
    place.project_file.write_text(f'server = "{server}"\n')
    place.user_file.write_text('server = "http://127.0.0.1:9"\n')
    assert batch_id in place.run("batch", "list").stdout
    assert place.run("batch", "list", "--server", "http://127.0.0.1:9").returncode == 6
    assert place.run("batch", "list", STRATOPT_SERVER="http://127.0.0.1:9").returncode == 6


def test_a_server_keeps_its_state_where_its_file_says(place: Place) -> None:
    place.project_file.write_text('data_dir = "state"\nmax_jobs = 0\n')
    refused = place.run("serve", "--port", "1")
    assert refused.returncode == 3
    assert "max_jobs = 0" in refused.stderr
    place.project_file.write_text('data_dir = "state"\n')
    assert place.run("keys", "create", "alice").returncode == 0
    assert (place.folder / "state" / "stratopt.sqlite").exists()


REQUESTS = {
    "job.toml": """
strategies = ["RSI"]
[common_config]
asset = "BTC"
start_date = 2016-01-01
end_date = 2019-01-01T00:00:00Z
[common_config.optimization_config]
max_evals = 6
cross_validation = false
""",
    "job.yaml": """
strategies: [RSI]
common_config:
  asset: BTC
  start_date: 2016-01-01
  end_date: 2019-01-01T00:00:00Z
  optimization_config: {max_evals: 6, cross_validation: false}
""",
    "job.json": """
{"strategies": ["RSI"], "common_config": {"asset": "BTC", "start_date": "2016-01-01", "end_date": "2019-01-01T00:00:00Z",
 "optimization_config": {"max_evals": 6, "cross_validation": false}}}
""",
}


def test_a_request_means_the_same_in_toml_yaml_and_json(place: Place, server: str) -> None:
    plans = []
    for name, text in {**REQUESTS, "job.yml": REQUESTS["job.yaml"], "job": REQUESTS["job.json"]}.items():
        (place.folder / name).write_text(text)
        done = place.run("batch", "submit", name, "--dry-run", "--server", server)
        assert done.returncode == 0, done.stderr
        plans.append(json.loads(done.stdout))
    assert plans[0]["evaluations_total"] == 6
    assert [plan for plan in plans if plan != plans[0]] == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("job.yaml", "strategies: [RSI", ["as YAML", "line 1"]),
        ("job.yaml", "!!python/object/apply:os.system ['true']", ["as YAML", "could not determine a constructor"]),
        ("job.toml", "strategies = RSI", ["as TOML", ".yaml"]),
        ("job.json", "strategies: [RSI]", ["as JSON", ".toml"]),
        ("job.yaml", "RSI", ["holds no request", '"RSI"']),
        ("job.json", "[1]", ["holds no request"]),
    ],
)
def test_a_file_that_is_no_request_gets_a_sentence(place: Place, name: str, text: str, words: list[str]) -> None:
    (place.folder / name).write_text(text)
    done = place.run("batch", "submit", name)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
