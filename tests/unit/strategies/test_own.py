"""Strategies of the operator: decorator, folder, entry points, and what happens when they are wrong."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stratopt
from stratopt.errors import ParameterSpaceError, StrategyError
from stratopt.market.bars import Bars
from stratopt.search.parameters import IntRange
from stratopt.strategies.base import Category
from stratopt.strategies.catalogue import StrategyCatalogue
from stratopt.strategies.own import strategy

GOOD = '''
import numpy as np
from stratopt.search.parameters import IntRange
from stratopt.strategies.own import strategy
from stratopt.strategies.trend import MACD  # imported, not offered

@strategy(space={"period": IntRange(2, 50, default=10)}, warmup=lambda p: p["period"], source="me")
def HigherClose(bars, params):
    """Holds while the close is above that of some bars ago."""
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    target[period:] = bars.close[period:] > bars.close[:-period]
    return target

@strategy(name="CompiledHigherClose", space={"period": IntRange(2, 50, default=10)}, warmup=lambda p: p["period"], compiled=True)
def compiled_higher_close(bars, params, out):
    period = int(params[0])
    for i in range(out.size):
        out[i] = 1 if i >= period and bars[3, i] > bars[3, i - period] else 0
'''


def rising(n: int = 40) -> Bars:
    close = 100.0 + np.arange(n) % 17
    return Bars.from_arrays(
        symbol="X", timeframe="1d", open_time=np.arange(n) * 86_400_000, open=close, high=close, low=close, close=close
    )


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_folder_offers_plain_and_compiled_strategies(tmp_path: Path) -> None:
    """Both kinds load from a file, say what they are and give the same targets for the same rule."""
    write(tmp_path, "good.py", GOOD)
    write(tmp_path, "_private.py", "raise RuntimeError('not imported')")
    catalogue = StrategyCatalogue.with_own(tmp_path)
    assert catalogue.problems == []
    assert catalogue.names[-2:] == ("HigherClose", "CompiledHigherClose")
    plain, compiled = catalogue.get("HigherClose"), catalogue.get("CompiledHigherClose")
    assert (plain.category, plain.doc, plain.source) == (
        Category.CUSTOM,
        "Holds while the close is above that of some bars ago.",
        "me",
    )
    assert plain.warmup({"period": 7}) == 7
    target = plain.target(rising(), {"period": 7})
    np.testing.assert_array_equal(compiled.target(rising(), {"period": 7}), target)
    assert target.dtype == np.int8
    assert set(target.tolist()) == {0, 1}
    assert plain.source_hash != compiled.source_hash


@pytest.mark.parametrize(
    ("text", "line", "error"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\nraise RuntimeError('no licence')\n", 3, "RuntimeError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
        ("import a_package_that_is_not_there\n", 1, "ModuleNotFoundError"),
        (
            "from stratopt.strategies.own import strategy\n\n@strategy()\ndef TooMany(bars, params, more):\n    return 0\n",
            3,
            "StrategyError",
        ),
    ],
)
def test_a_broken_file_is_a_problem_and_the_others_load(tmp_path: Path, text: str, line: int, error: str) -> None:
    """The problem names file, line and error; the good file's strategies work."""
    bad = write(tmp_path, "bad.py", text)
    write(tmp_path, "good.py", GOOD)
    catalogue = StrategyCatalogue()
    catalogue.load_folder(tmp_path)
    assert "HigherClose" in catalogue
    (problem,) = catalogue.problems
    assert problem.code == "strategy_import_failed"
    assert f"{bad}, line {line}" in problem.message
    assert problem.context["error"] == error


@pytest.mark.parametrize(("code", "told"), [(0, "sys.exit(0)"), (None, "sys.exit()"), ("done", "sys.exit(done)")])
def test_a_strategy_that_ends_the_interpreter_has_failed(code: object, told: str) -> None:
    """Like any exception: what it did, where and with which parameters."""

    @strategy(space={"period": IntRange(2, 50, default=10)})
    def Leaves(bars: Bars, params: dict[str, Any]) -> Any:
        sys.exit(code)  # type: ignore[arg-type]

    with pytest.raises(StrategyError) as caught:
        Leaves.target(rising(), {"period": 7})
    assert caught.value.code == "strategy_error"
    assert f"Leaves called {told}, which raised SystemExit (line " in caught.value.message
    assert caught.value.context["params"] == {"period": 7}
    assert isinstance(caught.value.__cause__, SystemExit)


def test_an_interrupt_is_none_of_the_strategys_errors() -> None:
    @strategy()
    def Interrupted(bars: Bars, params: dict[str, Any]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted.target(rising())


def test_missing_memory_is_an_error_of_the_library() -> None:
    """With the code that a server gives, from everything that runs a strategy for a caller."""

    @strategy(space={"period": IntRange(2, 50, default=10)})
    def EatsMemory(bars: Bars, params: dict[str, Any]) -> Any:
        return np.ones(10**13, dtype=np.int8)

    for run in (
        lambda: stratopt.optimize(rising(800), EatsMemory, max_evals=2),
        lambda: stratopt.backtest(rising(), EatsMemory),
        lambda: stratopt.sweep(rising(), EatsMemory, {"period": [3]}),
    ):
        with pytest.raises(stratopt.StratoptError, match="Unable to allocate") as caught:
            run()
        assert caught.value.code == "out_of_memory"
        assert isinstance(caught.value.__cause__, MemoryError)


def test_files_of_one_name_in_two_folders_do_not_meet(tmp_path: Path) -> None:
    """Each file is a module of its own; a strategy whose name is taken becomes a problem."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "good.py", GOOD)
    catalogue = StrategyCatalogue()
    catalogue.load_folder(tmp_path / "a")
    catalogue.load_folder(tmp_path / "b")
    assert [p.code for p in catalogue.problems] == ["duplicate_strategy", "duplicate_strategy"]
    first, second = (str(tmp_path / name / "good.py") for name in ("a", "b"))
    assert f"the name 'HigherClose' ({second}, line " in catalogue.problems[0].message
    assert f"is taken by {first}, line " in catalogue.problems[0].message


def test_a_built_in_name_is_taken_by_no_file(tmp_path: Path) -> None:
    path = write(tmp_path, "good.py", GOOD.replace("def HigherClose", "def RSI"))
    (problem,) = StrategyCatalogue.with_own(tmp_path).problems
    assert f"the name 'RSI' ({path}, line " in problem.message
    assert "is taken by a built-in strategy" in problem.message


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A folder that is not there is a mistake of the setting, not an empty one."""
    with pytest.raises(StrategyError, match="does not exist"):
        StrategyCatalogue().load_folder(tmp_path / "nowhere")


def test_entry_points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed package offers a strategy; one that cannot be loaded becomes a problem."""
    (tmp_path / "offered_package.py").write_text(GOOD)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint("good", "offered_package:HigherClose", "stratopt.strategies"),
        importlib.metadata.EntryPoint("bad", "offered_package:Missing", "stratopt.strategies"),
        importlib.metadata.EntryPoint("number", "math:pi", "stratopt.strategies"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group else [])
    catalogue = StrategyCatalogue.with_own()
    assert "HigherClose" in catalogue
    assert ["entry point bad" in p.message or "entry point number" in p.message for p in catalogue.problems] == [
        True,
        True,
    ]


def own(returned: Any) -> Any:
    """A strategy that returns this."""

    @strategy(name="Own")
    def rule(bars: Bars, params: dict[str, Any]) -> Any:
        return returned

    return rule


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (np.zeros(39), r"shape \(40,\), not \(39,\)"),
        (np.zeros((40, 1)), r"not \(40, 1\)"),
        (np.full(40, 2), "bar 0 is 2"),
        (np.full(40, 0.5), "bar 0 is 0.5"),
        (np.where(np.arange(40) == 7, np.nan, 1.0), "bar 7 is NaN"),
        (np.full(40, np.inf), "bar 0 is inf"),
        (["long"] * 40, "one whole number a bar"),
        (None, "NaN|shape"),
        ([[1], [1, 2]], "one whole number a bar"),
    ],
)
def test_wrong_targets_are_refused(returned: Any, message: str) -> None:
    """What is not one of -1, 0 and 1 for each bar is refused with what was wrong."""
    with pytest.raises(StrategyError, match=message):
        own(returned).target(rising())


@pytest.mark.parametrize("returned", [np.ones(40, dtype=bool), [1] * 40, np.ones(40), np.ones(40, dtype=np.uint8)])
def test_any_kind_of_number_is_read(returned: Any) -> None:
    """Booleans, lists, floats and unsigned numbers are targets if their values are."""
    target = own(returned).target(rising())
    assert target.dtype == np.int8
    assert target.tolist() == [1] * 40


def test_forbidden_sides_are_read_as_flat() -> None:
    """A plain strategy need not know the direction."""
    both = own(np.where(np.arange(40) % 2 == 0, 1, -1))
    assert set(both.target(rising(), None, "long_only").tolist()) == {0, 1}
    assert set(both.target(rising(), None, "short_only").tolist()) == {-1, 0}
    assert set(both.target(rising(), None, "long_short").tolist()) == {-1, 1}


def test_exceptions_keep_their_type_message_and_line() -> None:
    """What a strategy raises arrives as a StrategyError with the original as cause and the line in the message."""

    @strategy()
    def Failing(bars: Bars, params: dict[str, Any]) -> Any:
        return 1 / (len(bars) - 40)

    line = Failing.signal.__code__.co_firstlineno + 2
    with pytest.raises(StrategyError, match=rf"Failing raised ZeroDivisionError: .* \(line {line} of ") as caught:
        Failing.target(rising())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_parameters_are_validated_before_the_strategy_runs() -> None:
    """A value out of the domain never reaches the code."""

    @strategy(space={"period": IntRange(2, 10)})
    def Never(bars: Bars, params: dict[str, Any]) -> Any:
        raise AssertionError

    with pytest.raises(ParameterSpaceError, match="minimum"):
        Never.target(rising(), {"period": 0})


def test_bars_cannot_be_changed_by_a_strategy() -> None:
    """Writing into the bars raises instead of changing what later strategies see."""

    @strategy()
    def Vandal(bars: Bars, params: dict[str, Any]) -> Any:
        bars.close[0] = 1.0

    with pytest.raises(StrategyError, match="read-only"):
        Vandal.target(rising())


@pytest.mark.parametrize("name", ["", "1st", "two words", "a" * 65, "../x", "<b>"])
def test_names_are_plain_words(name: str) -> None:
    """Names travel in URLs, files and reports: letters, digits and _ only."""
    with pytest.raises(StrategyError, match="letter"):
        strategy(name=name or "-")(lambda bars, params: None)


def test_what_numba_cannot_compile_is_a_strategy_error() -> None:
    """A compiled strategy that numba refuses says so, with numba's error as cause."""

    @strategy(compiled=True)
    def Uncompilable(bars: Any, params: Any, out: Any) -> None:
        out[0] = bars.no_such_attribute

    with pytest.raises(StrategyError, match="Uncompilable raised TypingError") as caught:
        Uncompilable.target(rising())
    assert type(caught.value.__cause__).__name__ == "TypingError"


def test_a_compiled_strategy_is_checked_too() -> None:
    """A compiled kernel that writes 2 is refused like a plain one."""

    @strategy(compiled=True)
    def Doubling(bars: Any, params: Any, out: Any) -> None:
        out[:] = 2

    with pytest.raises(StrategyError, match="bar 0 is 2"):
        Doubling.target(rising())
