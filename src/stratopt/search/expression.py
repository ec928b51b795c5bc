"""Expressions that users write over named numbers: parsed once, whitelisted node by node, never evaluated as Python."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from stratopt.errors import ParameterSpaceError

LONGEST_TEXT = 500
MOST_NODES = 200

Evaluate: TypeAlias = Callable[[Mapping[str, Any]], Any]

ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
}
ALLOWED = f"numbers, names, text to compare with, + - * /, comparisons, and, or, not, {', '.join(FUNCTIONS)}"


class Expression:
    """A formula over names; equal texts are equal.

    >>> Expression("fast_period * 2 < slow_period").holds({"fast_period": 5, "slow_period": 20})
    True
    >>> Expression("sharpe_ratio - 0.5 * abs(max_drawdown)").value({"sharpe_ratio": 1.0, "max_drawdown": -0.2})
    0.9
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
            raise ParameterSpaceError(
                f"an expression is text of 1 to {LONGEST_TEXT} characters", code="invalid_expression"
            )
        self.text = text.strip()
        try:
            self.tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ParameterSpaceError(
                f"{self.text!r} is not an expression: {error}", code="invalid_expression", expression=self.text
            ) from error
        nodes = list(ast.walk(self.tree))
        if len(nodes) > MOST_NODES:
            raise ParameterSpaceError(
                f"{self.text[:60]!r}... has {len(nodes)} parts; the limit is {MOST_NODES}", code="invalid_expression"
            )
        self.names = frozenset(n.id for n in nodes if isinstance(n, ast.Name)) - frozenset(
            n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        )
        self._evaluate = self._build(self.tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def require_names(self, known: Collection[str]) -> None:
        """ParameterSpaceError if a name of the expression is not one of ``known``."""
        unknown = sorted(self.names - set(known))
        if unknown:
            raise ParameterSpaceError(
                f"{self.text!r} names {unknown[0]!r}; known: {', '.join(known)}",
                code="invalid_expression",
                expression=self.text,
                name=unknown[0],
            )

    def value(self, numbers: Mapping[str, Any]) -> float:
        """The value as a number; NaN where it is undefined (division by zero, logarithm of a negative number)."""
        try:
            return float(self._evaluate(numbers))
        except (ArithmeticError, ValueError, TypeError):
            return math.nan

    def holds(self, numbers: Mapping[str, Any]) -> bool:
        """Whether the expression is true; it is where a name does not exist (an inactive branch), it is not where undefined."""
        if not self.names <= numbers.keys():
            return True
        try:
            return bool(self._evaluate(numbers))
        except (ArithmeticError, ValueError, TypeError):
            return False

    def _build(self, node: ast.AST) -> Evaluate:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as constant):
                return lambda numbers: constant
            case ast.Name(id=name):
                return lambda numbers: numbers[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._build(operand)
                return lambda numbers: -inner(numbers)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._build(operand)
                return lambda numbers: not inner(numbers)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                apply, a, b = ARITHMETIC[type(op)], self._build(left), self._build(right)
                return lambda numbers: apply(_number(a(numbers)), _number(b(numbers)))
            case ast.BoolOp(op=op, values=values):
                parts = [self._build(value) for value in values]
                every = all if isinstance(op, ast.And) else any
                return lambda numbers: every(part(numbers) for part in parts)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                compared = [self._build(term) for term in (left, *others)]
                tests = [COMPARISONS[type(op)] for op in ops]
                return lambda numbers: all(
                    test(a(numbers), b(numbers)) for test, a, b in zip(tests, compared, compared[1:], strict=False)
                )
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS and arguments:
                function, given = FUNCTIONS[name], [self._build(argument) for argument in arguments]
                return lambda numbers: function(*(_number(value(numbers)) for value in given))
        raise ParameterSpaceError(
            f"{ast.unparse(node)!r} in {self.text!r} is not allowed; an expression has {ALLOWED}",
            code="invalid_expression",
            expression=self.text,
        )


def _number(value: Any) -> Any:
    """Arithmetic on text would repeat or join it without limit."""
    if isinstance(value, int | float):
        return value
    raise TypeError(f"{value!r} is not a number")
