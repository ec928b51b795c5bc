"""The command line as people use it: data on stdout, the rest on stderr, exit codes that scripts can rely on."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import IO

import pytest

from stratopt.cli.server_process import free_port
from stratopt.client.client import Client

from .conftest import STRATEGY_FOLDER, quick


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


COMMAND = [sys.executable, "-m", "stratopt.cli.main"]


def environment(home: Path, server: str) -> dict[str, str]:
    return {
        **os.environ,
        "STRATOPT_DATA_DIR": str(home),
        "STRATOPT_SERVER": server,
        "STRATOPT_STRATEGY_FOLDER": str(STRATEGY_FOLDER),
        "NO_COLOR": "1",
    }


def stratopt(*arguments: str, home: Path, server: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    command, variables = [*COMMAND, *arguments], environment(home, server)
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, env=variables)


@pytest.fixture(scope="module")
def job_file(home: Path) -> Path:
    path = home / "job.json"
    path.write_text(
        json.dumps({"strategies": ["HigherClose", "RSI"], "common_config": quick(), "label": "from the shell"})
    )
    return path


def test_backtest_prints_its_metrics_and_draws(home: Path) -> None:
    picture = home / "equity.svg"
    done = stratopt(
        "backtest",
        "MovingAverageCrossover",
        "-s",
        "AAPL",
        "-p",
        "fast_period=10",
        "-p",
        "slow_period=30",
        "--plot",
        str(picture),
        "--json",
        home=home,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["metrics"]["trade_count"] > 5
    assert len(document["equity"]["value"]) == len(document["equity"]["open_time"]) > 2000
    assert picture.read_text().startswith("<svg")


def test_optimize_prints_both_sides_of_the_split(home: Path) -> None:
    done = stratopt("optimize", "RSI", "-s", "BTC", "--max-evals", "5", "--algorithm", "random", home=home)
    assert done.returncode == 0, done.stderr
    assert "Out of sample" in done.stdout
    assert "In sample" in done.stdout
    assert "parameter sets tried" in done.stderr


def test_optimize_makes_the_slow_checks_that_its_flags_ask_for(home: Path) -> None:
    short = ["-s", "BTC", "--start", "2016-01-01", "--max-evals", "4", "--algorithm", "random", "--hold-out"]
    flags = ["--random-entry-runs", "20", "--permutation-runs", "3", "--combinatorial-groups", "4"]
    purged = ["--combinatorial-test-groups", "1", "--purge-bars", "7", "--embargo-bars", "9"]
    done = stratopt("optimize", "RSI", *short, *flags, *purged, home=home)
    assert done.returncode == 0, done.stderr
    for words in ("Random entries, p", "20 runs", "Bar permutation, p", "3 searches", "combinatorial paths"):
        assert words in done.stdout
    told = json.loads(stratopt("optimize", "RSI", *short, *flags, *purged, "--json", home=home).stdout)
    asked = told["manifest"]["spec"]["validation"]
    assert (asked["random_entry_runs"], asked["permutation_runs"], asked["combinatorial_groups"]) == (20, 3, 4)
    assert (asked["combinatorial_test_groups"], asked["purge_bars"], asked["embargo_bars"]) == (1, 7, 9)
    plain = stratopt("optimize", "RSI", *short, home=home)
    assert "Further test" not in plain.stdout
    refused = stratopt("optimize", "RSI", *short, "--permutation-runs", "-1", home=home)
    assert refused.returncode == 3
    assert "permutation_runs" in refused.stderr


@pytest.mark.parametrize("command", ["optimize", "backtest"])
@pytest.mark.parametrize(
    ("strategy", "words"),
    [("Leaves", "Leaves called sys.exit(0), which raised SystemExit (line"), ("EatsMemory", "more memory than")],
)
def test_what_a_strategy_does_to_the_process_is_a_sentence_and_a_code(
    home: Path, command: str, strategy: str, words: str
) -> None:
    done = stratopt(command, strategy, "-s", "BTC", "--start", "2016-01-01", "--json", home=home)
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_stdout_is_data_whatever_strategies_print(home: Path) -> None:
    short = ["Prints", "-s", "BTC", "--start", "2016-01-01", "--json"]
    for command in (["optimize", *short, "--max-evals", "1"], ["backtest", *short], ["strategies", "--json"]):
        done = stratopt(*command, home=home)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
        assert "this module talks" in done.stderr
        assert ("this strategy talks" in done.stderr) == ("Prints" in command)


def test_optimize_takes_the_sides(home: Path) -> None:
    short = [
        "RSI",
        "-s",
        "BTC",
        "--start",
        "2016-01-01",
        "--max-evals",
        "4",
        "--algorithm",
        "random",
        "--hold-out",
        "--json",
    ]
    plain, both = (
        json.loads(stratopt("optimize", *short, *sides, home=home).stdout)
        for sides in ([], ["--direction", "long_short"])
    )
    assert plain["manifest"]["spec"]["execution"]["direction"] is None
    assert both["manifest"]["spec"]["execution"]["direction"] == "long_short"
    refused = stratopt("optimize", *short, "--direction", "sideways", home=home)
    assert refused.returncode == 3
    assert "direction" in refused.stderr


def test_strategies_are_listed_and_shown(home: Path) -> None:
    listed = json.loads(stratopt("strategies", "--json", home=home).stdout)
    assert len([s for s in listed if s["category"] != "custom"]) == 39
    shown = stratopt("strategies", "MovingAverageCrossover", home=home).stdout
    assert "fast_period" in shown
    assert "1.5 to 8" in shown


def test_data_goes_in_and_out(home: Path) -> None:
    prices = home / "prices.csv"
    rows = [
        ["Date", "Open", "High", "Low", "Close", "Volume"],
        *([f"2024-01-{d:02d}", 10 + d, 12 + d, 9 + d, 11 + d, 100 + d] for d in range(1, 32)),
    ]
    with prices.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    imported = stratopt("data", "import", str(prices), "--symbol", "ACME", home=home)
    assert imported.returncode == 0, imported.stderr
    listed = {s["symbol"] for s in json.loads(stratopt("data", "list", "--json", home=home).stdout)}
    assert {"ACME", "SPX", "EURUSD"} <= listed
    shown = json.loads(stratopt("data", "show", "ACME", "--json", home=home).stdout)
    assert shown["bars"] == 31
    assert stratopt("data", "validate", "ACME", home=home).returncode == 0


def prices_of(home: Path, days: int, level: float = 10.0) -> str:
    path = home / f"prices{days}.csv"
    rows = [
        f"2024-01-{d:02d},{level + d},{level + d + 2},{level + d - 1},{level + d + 1},{100 + d}"
        for d in range(1, days + 1)
    ]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))
    return str(path)


@pytest.mark.parametrize(("symbol", "length"), [("BTC", "BTCUSD 1h"), ("aapl", "AAPL 1d")])
def test_an_import_hides_a_bundled_series_only_when_told_to(tmp_path: Path, symbol: str, length: str) -> None:
    """Name and alias alike; removing what was imported brings the bundled series back."""
    before = stratopt("data", "show", symbol, "--json", home=tmp_path).stdout
    refused = stratopt("data", "import", prices_of(tmp_path, 20), "-s", symbol, home=tmp_path)
    assert refused.returncode == 3
    for words in ("would hide", length, "--replace", f"stratopt data remove {symbol.upper()}"):
        assert words in " ".join(refused.stderr.split())
    assert stratopt("data", "show", symbol, "--json", home=tmp_path).stdout == before
    done = stratopt("data", "import", prices_of(tmp_path, 20), "-s", symbol, "--replace", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "it hides what comes with stratopt" in done.stderr
    assert length in done.stderr
    assert json.loads(stratopt("data", "show", symbol, "--json", home=tmp_path).stdout)["bars"] == 20
    removed = stratopt("data", "remove", symbol, home=tmp_path)
    assert removed.returncode == 0, removed.stderr
    assert f"removed {symbol.upper()} 1d: 20 bars" in removed.stderr
    assert f"is again what comes with stratopt: {length.split(maxsplit=1)[0]}" in removed.stderr
    assert stratopt("data", "show", symbol, "--json", home=tmp_path).stdout == before


def test_an_import_over_an_own_series_says_what_it_replaced(tmp_path: Path) -> None:
    """An unreadable file too, for importing again is the advice against it."""
    first = stratopt("data", "import", prices_of(tmp_path, 20), "-s", "ACME", home=tmp_path)
    assert "replaced" not in first.stderr
    second = stratopt("data", "import", prices_of(tmp_path, 25), "-s", "ACME", home=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "replaced your earlier ACME 1d of 20 bars" in second.stderr
    (tmp_path / "catalogue" / "ACME" / "1d.parquet").write_bytes(b"broken")
    third = stratopt("data", "import", prices_of(tmp_path, 25), "-s", "ACME", home=tmp_path)
    assert third.returncode == 0, third.stderr
    assert "replaced your earlier ACME 1d of an unreadable file" in third.stderr


def test_only_imported_series_can_be_removed(tmp_path: Path) -> None:
    """What was misspelt, what comes bundled and what is not stored is refused with the way out."""
    stratopt("data", "import", prices_of(tmp_path, 20), "-s", "ACME", home=tmp_path)
    for arguments, words in [
        (["ACMEE"], "'ACMEE' is not imported. Did you mean ACME? Imported: ACME."),
        (["BTC"], "'BTC' comes with stratopt and cannot be removed"),
        (["ACME", "-t", "1h"], "ACME has no imported 1h bars; imported: 1d"),
        (["../catalogue"], "is not imported"),
    ]:
        refused = stratopt("data", "remove", *arguments, home=tmp_path)
        assert refused.returncode == 3
        assert words in refused.stderr
    assert stratopt("data", "remove", "acme", "-t", "24h", home=tmp_path).returncode == 0
    assert stratopt("data", "show", "ACME", home=tmp_path).returncode == 3
    assert not (tmp_path / "catalogue" / "ACME").exists()


def test_a_spoilt_file_is_refused_with_a_report(home: Path) -> None:
    spoilt = home / "spoilt.csv"
    spoilt.write_text("Date,Open,High,Low,Close,Volume\n2024-01-02,10,9,8,9.5,1\n2024-01-01,10,11,9,10,1\n")
    done = stratopt("data", "import", str(spoilt), "--symbol", "BAD", home=home)
    assert done.returncode == 3
    assert "error" in done.stderr
    assert stratopt("data", "validate", str(spoilt), home=home).returncode == 3


def test_a_batch_is_submitted_followed_and_reported(server: str, home: Path, job_file: Path) -> None:
    done = stratopt("batch", "submit", str(job_file), "--watch", home=home, server=server)
    assert done.returncode == 0, done.stderr
    assert "HigherClose" in done.stdout
    listed = json.loads(stratopt("batch", "list", "--json", home=home, server=server).stdout)
    batch_id = next(b["batch_id"] for b in listed if b["label"] == "from the shell")
    results = json.loads(stratopt("batch", "results", batch_id, "--json", home=home, server=server).stdout)
    assert [item["status"] for item in results] == ["succeeded", "succeeded"]
    shown = stratopt("batch", "list", home=home, server=server)
    ratios = {r["strategy_id"]: r["result"]["out_of_sample"]["metrics"]["sharpe_ratio"] for r in results}
    ratio, best = max((ratio, name) for name, ratio in ratios.items() if ratio is not None)
    line, below = next(pair for pair in pairwise(shown.stdout.splitlines()) if batch_id in pair[0])
    assert below.split()[2:] == ["BTC", "2/2", "succeeded"]
    assert line.split() == [batch_id, "completed", best, "BTC", "1d", f"{ratio:.2f}"]
    assert "not yet charged for the number of trials" in shown.stderr
    page = home / "report.html"
    assert (
        stratopt("batch", "report", batch_id, "-f", "html", "-o", str(page), home=home, server=server).returncode == 0
    )
    assert "Leaderboard" in page.read_text()
    assert stratopt("batch", "cancel", batch_id, home=home, server=server).stdout.strip() == "completed"


def test_a_dry_run_stores_nothing(server: str, home: Path, job_file: Path) -> None:
    plan = json.loads(stratopt("batch", "submit", str(job_file), "--dry-run", home=home, server=server).stdout)
    assert plan["valid"]
    assert plan["evaluations_total"] == 12


def test_strategies_that_fail_show_in_the_exit_code(server: str, home: Path) -> None:
    path = home / "failing.toml"
    path.write_text(
        'strategies = ["HigherClose", "Raises"]\n[common_config]\nasset = "BTC"\n[common_config.optimization_config]\nmax_evals = 3\nalgorithm = "random"\ncross_validation = false\n'
    )
    done = stratopt("batch", "submit", str(path), "--watch", home=home, server=server)
    assert done.returncode == 7
    assert "this strategy always fails" in done.stdout
    assert (
        stratopt("batch", "submit", str(path), "--watch", "--fail-on", "all", home=home, server=server).returncode == 0
    )


def test_what_failed_is_told_and_submitted_again(server: str, home: Path) -> None:
    path = home / "half.json"
    path.write_text(json.dumps({"strategies": ["HigherClose", "Raises"], "common_config": quick()}))
    batch_id = stratopt("batch", "submit", str(path), home=home, server=server).stdout.strip()
    stratopt("batch", "watch", batch_id, home=home, server=server)
    told = stratopt("batch", "errors", batch_id, home=home, server=server)
    assert told.returncode == 0, told.stderr
    assert "this strategy always fails" in told.stdout
    assert f"stratopt batch retry {batch_id}" in told.stderr
    assert json.loads(stratopt("batch", "errors", batch_id, "--json", home=home, server=server).stdout)["by_code"] == {
        "strategy_error": 1
    }
    again = stratopt("batch", "retry", batch_id, "--watch", "--json", home=home, server=server)
    assert again.returncode == 7, again.stderr
    assert json.loads(again.stdout)["counts"]["total"] == 1


@pytest.mark.parametrize(("times", "status"), [(1, "running"), (2, "cancelled")])
def test_ctrl_c_leaves_a_batch_running_and_a_second_one_cancels_it(
    server: str, home: Path, client: Client, times: int, status: str
) -> None:
    path = home / "long.json"
    path.write_text(json.dumps({"strategies": ["RSI"], "common_config": quick(1_000_000)}))
    process = subprocess.Popen(
        [*COMMAND, "batch", "submit", str(path), "--watch"],
        env=environment(home, server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    batch = client.batch(said.split(";")[0].split()[-1])
    process.send_signal(signal.SIGINT)
    while f"stratopt batch watch {batch.batch_id}" not in said:
        said = process.stderr.readline()
    if times == 2:
        process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130, rest
    assert ("finished results stay" in rest) == (times == 2)
    if times == 2:
        batch.wait()
    assert batch.refresh().status["status"] == status
    batch.cancel()


def test_settings_are_shown_with_their_source_and_without_secrets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATOPT_WORKERS", "3")
    monkeypatch.setenv("STRATOPT_WROKERS", "4")
    shown = stratopt("config", "show", "--json", home=home)
    rows = {row["variable"]: row for row in json.loads(shown.stdout)}
    assert rows["STRATOPT_WORKERS"] == {"variable": "STRATOPT_WORKERS", "value": 3, "source": "environment"}
    assert rows["STRATOPT_MAX_JOBS"]["source"] == "default"
    assert rows["STRATOPT_DATA_DIR"]["value"] == str(home)
    assert "STRATOPT_WROKERS" in shown.stderr
    assert "STRATOPT_WORKERS" in stratopt("config", "show", home=home).stdout


def test_a_port_that_is_taken_gets_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = stratopt("serve", "--port", str(port), home=tmp_path)
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def read_until(stream: IO[bytes], words: bytes) -> list[bytes]:
    """Lines up to the one with ``words``; the end of the stream is a failure of the test that reads."""
    lines = []
    for line in stream:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"{words!r} never came, but {b''.join(lines).decode()}")


@pytest.mark.timeout(120)
def test_a_server_tells_where_it_listens_and_its_log_is_json_whatever_strategies_print(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    command, variables = [*COMMAND, "serve", "--port", address.rpartition(":")[2]], environment(tmp_path, address)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables) as serving:
        assert serving.stdout is not None
        assert serving.stderr is not None
        lines = read_until(serving.stderr, b"server_listening")
        with Client(address) as client:
            client.optimize_batch({"strategies": ["Prints"], "common_config": quick(1)}).wait()
        serving.send_signal(signal.SIGTERM)
        lines += serving.stderr.readlines()
        printed = serving.stdout.read()
    events = [json.loads(line) for line in lines]
    (listening,) = [e for e in events if e["event"] == "server_listening"]
    assert (listening["address"], listening["documentation"]) == (address, f"{address}/docs")
    assert listening["data_directory"] == str(tmp_path)
    told = {(e["strategy"], e["text"]) for e in events if e["event"] == "strategy_printed"}
    assert told == {(None, "this module talks"), ("Prints", "this module talks"), ("Prints", "this strategy talks")}
    assert printed == b""
    assert b"color_message" not in b"".join(lines)
    assert b"setup plugin" not in b"".join(lines)


@pytest.mark.timeout(60)
def test_a_server_at_a_terminal_says_it_in_words(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    command, variables = [*COMMAND, "serve", "--port", address.rpartition(":")[2]], environment(tmp_path, address)
    terminal, end = os.openpty()
    with subprocess.Popen(command, stderr=end, env=variables) as serving, os.fdopen(terminal, "rb") as screen:
        os.close(end)
        read_until(screen, f"stratopt listens on {address} (Ctrl-C stops it)".encode())
        assert f"{address}/docs".encode() in screen.readline()
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["backtest", "RSY"], 3, "did you mean"),
        (["backtest", "RSI", "-s", "NOPE"], 3, "NOPE"),
        (["backtest", "RSI", "-p", "period=0"], 3, "minimum"),
        (["backtest", "RSI", "-p", "period"], 2, "name=value"),
        (["optimize", "RSI", "--start", "2019-01-01", "--end", "2018-01-01"], 3, "after"),
        (["batch", "list"], 6, "stratopt serve"),
        (["batch", "submit", "/nowhere.json"], 3, "cannot read"),
        (["batch", "submit", "/nowhere.json", "--fail-on", "some"], 2, "'some' is not one of"),
        (["nonsense"], 2, "No such command"),
        (["serve", "--host", "0.0.0.0"], 3, "API keys"),
        (["keys", "revoke", "key_none"], 5, "no key"),
    ],
)
def test_mistakes_get_a_sentence_and_a_code(home: Path, arguments: list[str], code: int, words: str) -> None:
    done = stratopt(*arguments, home=home)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = stratopt("keys", "create", "alice", home=tmp_path)
    key = made.stdout.strip()
    assert key.startswith("stratopt_")
    (listed,) = json.loads(stratopt("keys", "list", "--json", home=tmp_path).stdout)
    assert (listed["name"], listed["valid"]) == ("alice", "yes")
    assert key not in json.dumps(listed)
    assert stratopt("keys", "revoke", listed["key_id"], home=tmp_path).returncode == 0
    assert json.loads(stratopt("keys", "list", "--json", home=tmp_path).stdout)[0]["valid"] == "no"


def test_doctor_measures_what_two_workers_give(home: Path) -> None:
    done = stratopt("doctor", "--json", home=home)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert set(checks) == {"stratopt", "data directory", "market data", "strategies", "workers"}
    assert checks["workers"]["speedup"] > 0
    assert "times as fast" in checks["workers"]["detail"]


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "words"),
    [
        ("STRATOPT_WORKERS", "0", ["serve", "--port", "1"], "STRATOPT_WORKERS='0'"),
        ("STRATOPT_DATA_DIR", "/proc/nowhere", ["serve", "--port", "1"], "/proc/nowhere"),
        ("STRATOPT_SERVER", "nowhere", ["batch", "list"], "'nowhere' is not an address"),
        ("STRATOPT_SERVER", "http://127.0.0.1:9", ["batch", "results", ""], "batch_id is empty"),
    ],
)
def test_a_wrong_environment_gets_a_sentence_and_no_trace(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, arguments: list[str], words: str
) -> None:
    monkeypatch.setenv("STRATOPT_DATA_DIR", str(home))
    monkeypatch.setenv(variable, value)
    command = [sys.executable, "-m", "stratopt.cli.main", *arguments]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert answer.returncode == 3
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


COMMANDS = [
    "demo",
    "optimize",
    "backtest",
    "serve",
    "strategies",
    "doctor",
    "batch submit",
    "batch watch",
    "batch results",
    "batch report",
    "batch cancel",
    "batch retry",
    "batch errors",
    "config show",
    "batch list",
    "data import",
    "data list",
    "data remove",
    "data show",
    "data validate",
    "keys create",
    "keys list",
    "keys revoke",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_in_its_help(command: str) -> None:
    from typer.testing import CliRunner

    from stratopt.cli.main import app

    shown = CliRunner().invoke(app, [*command.split(), "--help"]).output
    assert "Example" in shown
    assert f"stratopt {command}" in " ".join(shown.split())


def test_a_result_is_exported_as_a_script(home: Path) -> None:
    """The JSON of `optimize` becomes a Pine Script file; a file that is no result gets a sentence."""
    found = stratopt("optimize", "RSI", "-s", "BTC", "--max-evals", "4", "--hold-out", "--json", home=home)
    result, script = home / "result.json", home / "rsi.pine"
    result.write_text(found.stdout)
    done = stratopt("export", "pine", str(result), "-o", str(script), home=home)
    assert done.returncode == 0, done.stderr
    assert script.read_text().startswith("//@version=6\n")
    assert stratopt("export", "pine", str(result), home=home).stdout == script.read_text()
    result.write_text("{}")
    refused = stratopt("export", "pine", str(result), home=home)
    assert refused.returncode == 3
    assert "no result to export" in refused.stderr
    assert stratopt("export", "pine", "bat_0", home=home).returncode == 2


@pytest.mark.usefixtures("pango")
def test_a_report_is_read_as_pdf(home: Path, server: str, job_file: Path) -> None:
    """Into a file, for it is no text."""
    submitted = stratopt("batch", "submit", str(job_file), "--watch", "--json", home=home, server=server)
    batch_id = json.loads(submitted.stdout)["batch_id"]
    document = home / "report.pdf"
    done = stratopt("batch", "report", batch_id, "-f", "pdf", "-o", str(document), home=home, server=server)
    assert done.returncode == 0, done.stderr
    assert document.read_bytes().startswith(b"%PDF-")
    refused = stratopt("batch", "report", batch_id, "-f", "pdf", home=home, server=server)
    assert refused.returncode == 2
    assert "--output" in refused.stderr
