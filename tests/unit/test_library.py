"""What the functions of the library refuse before they compute."""

from __future__ import annotations

import pytest

from stratopt import library
from stratopt.optimization import strategy_optimizer
from stratopt.optimization.exceptions import DataValidationError


def test_a_result_of_other_data_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has both sides, with the same facts of each."""
    bars = library.load_bars("BTC", "1d", "2016-01-01")
    document = library.optimize(bars, "RSI", max_evals=3, cross_validation=False).to_dict()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr(strategy_optimizer, "optimize_strategy", never)
    with pytest.raises(DataValidationError, match="are not those of the result") as caught:
        library.reproduce(document)
    assert caught.value.code == "data_changed"
    result, machine = (caught.value.context[side] for side in ("of_the_result", "of_this_machine"))
    assert result.keys() == machine.keys()
    assert (result["bars"], result["content_hash"]) == (len(bars), bars.content_hash)
    assert machine["bars"] == len(library.load_bars("BTC", "1d"))
