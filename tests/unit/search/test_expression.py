"""Expressions: what they compute, and what they refuse."""

from __future__ import annotations

import math

import pytest

from stratopt.errors import ParameterSpaceError
from stratopt.search.expression import Expression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2", 7.0),
        ("-a / b", -1 / 3),
        ("(a + b) * (a - b)", -8.0),
        ("max(a, b, 2) - min(a, 5)", 2.0),
        ("abs(a - b)", 2.0),
        ("sqrt(a + b)", 2.0),
        ("log(exp(b))", 3.0),
        ("a < b", 1.0),
        ("1 <= a < b != 7", 1.0),
        ("not a > b and (a == 1 or b == 0)", 1.0),
    ],
)
def test_arithmetic_comparisons_and_logic(text, value):
    """The allowed forms mean what they mean in Python."""
    assert Expression(text).value({"a": 1, "b": 3}) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "a.__class__",
        "a[0]",
        "[x for x in a]",
        "lambda: 1",
        "(a := 1)",
        "a ** b",
        "a if b else 1",
        "f'{a}'",
        "open('x')",
        "max(*a)",
        "max(a, key=b)",
        "max()",
        "a @ b",
        "a % b",
        "a & b",
        "a in b",
        "a is b",
        "1j",
        "None",
        "...",
        "{a: b}",
        "a; b",
        "a +",
        "",
        "   ",
        "a" * 501,
        "+".join(["a"] * 150),
        "(" * 400,
        "a\x00b",
    ],
)
def test_everything_else_is_refused(text):
    """No other node of Python's grammar is accepted, nor a text too long or too deep."""
    with pytest.raises(ParameterSpaceError) as caught:
        Expression(text)
    assert caught.value.code == "invalid_expression"


def test_the_refusal_names_the_part():
    """The message has the offending part and what is allowed."""
    with pytest.raises(ParameterSpaceError, match=r"'a \*\* b'.*comparisons"):
        Expression("1 + a ** b")


def test_undefined_arithmetic_has_no_value_and_does_not_hold():
    """Division by zero, roots of negatives and text in arithmetic are NaN, and false as a constraint."""
    for text in ("1 / a", "sqrt(a - 1)", "log(a)", "exp(1000 + a)", "b * 3 > 1"):
        expression = Expression(text)
        assert math.isnan(expression.value({"a": 0, "b": "text"})), text
        assert not expression.holds({"a": 0, "b": "text"})


def test_a_constraint_over_an_inactive_parameter_holds():
    """What does not exist cannot break a rule."""
    assert Expression("alpha < 0.5").holds({"beta": 1})


def test_names_are_checked_against_those_known():
    """An unknown name is refused with the known ones; functions are no names."""
    expression = Expression("max(fast, slow) < 9")
    assert expression.names == {"fast", "slow"}
    with pytest.raises(ParameterSpaceError, match=r"names 'slow'; known: fast"):
        expression.require_names(["fast"])


def test_text_can_be_compared():
    """Options of choices are text."""
    assert Expression("kind == 'ema' or period < 5").holds({"kind": "ema", "period": 9})
