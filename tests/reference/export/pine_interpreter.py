"""Runs exported Pine scripts bar by bar.

Semantics of the Pine Script v6 reference: a script runs once on each bar; `var` keeps its value; `x[k]` is the value of k bars ago, na
before the first bar; every call site of a function has its own memory; comparisons with na are false; `and` and `or` stop early.

Stricter than Pine where the reference is silent or warns: a function with memory must run on every bar, `math.max` and `math.min` refuse na,
windows of `ta.highest`, `ta.lowest` and `math.sum` that are not complete give what is there (a script must look at bar_index itself), a
condition must be a bool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .pine_language import Function, Node, parse

NA = math.nan
Evaluate = Callable[["Memory"], Any]


class PineRuntimeError(Exception):
    """The script did what the language does not define, or called runtime.error."""


class Break(Exception):
    """`break`."""


@dataclass
class Memory:
    """What one call site keeps: values of this bar, their past, and the memories of the calls inside."""

    now: dict[str, Any] = field(default_factory=dict)
    past: dict[str, list[Any]] = field(default_factory=dict)
    inside: dict[Node, Any] = field(default_factory=dict)
    last_bar: int = -1


@dataclass(frozen=True)
class Run:
    """What a script did: its plots by title, the declaration's arguments, its inputs, and its orders as (bar, side)."""

    plots: Mapping[str, list[Any]]
    declaration: Mapping[str, Any]
    inputs: Mapping[str, Any]
    orders: list[tuple[int, int]]


def run(source: str, bars: Mapping[str, Any], *, seconds: int, inputs: Mapping[str, Any] | None = None) -> Run:
    """Run a script over columns open, high, low, close, volume and time (UTC milliseconds)."""
    return Interpreter(source, bars, seconds, inputs or {}).run()


def is_na(value: Any) -> bool:
    return isinstance(value, float) and value != value


class Interpreter:
    def __init__(self, source: str, bars: Mapping[str, Any], seconds: int, inputs: Mapping[str, Any]) -> None:
        self.functions, self.statements = parse(source)
        self.columns = {name: list(map(float, column)) for name, column in bars.items()}
        self.columns["time"] = [int(stamp) for stamp in bars["time"]]
        self.bar, self.seconds, self.overrides = 0, seconds, inputs
        self.inputs: dict[str, Any] = {}
        self.plots: dict[str, list[Any]] = {}
        self.declaration: dict[str, Any] = {}
        self.orders: list[tuple[int, int]] = []
        self.root = Memory()
        self.bodies: dict[str, tuple[Evaluate, set[str], bool]] = {}
        self.tracked: set[str] = set()
        self.kept: set[str] = set()
        self.local: set[str] | None = None
        self.reads_past = False
        self.main = self.block(self.statements)
        self.global_tracked = set(self.tracked)

    def run(self) -> Run:
        count = len(self.columns["close"])
        for self.bar in range(count):
            self.root.now = {name: self.root.now[name] for name in self.root.now if name in self.kept}
            self.main(self.root)
            for name in self.global_tracked:
                self.root.past.setdefault(name, []).append(self.root.now.get(name, NA))
        return Run(self.plots, self.declaration, self.inputs, self.orders)

    # ---- statements

    def block(self, statements: list[Node]) -> Evaluate:
        steps = [self.statement(node) for node in statements]

        def execute(memory: Memory) -> Any:
            value: Any = NA
            for step in steps:
                value = step(memory)
            return value

        return execute

    def statement(self, node: Node) -> Evaluate:
        return getattr(self, f"do_{node.kind}")(node)

    def do_expression(self, node: Node) -> Evaluate:
        return self.value(node.parts[0])

    def do_break(self, node: Node) -> Evaluate:
        def execute(memory: Memory) -> Any:
            raise Break

        return execute

    def do_declare(self, node: Node) -> Evaluate:
        name, value = node.parts[0], self.value(node.parts[1])
        self.know(name)

        def execute(memory: Memory) -> Any:
            memory.now[name] = found = value(memory)
            return found

        return execute

    def do_var(self, node: Node) -> Evaluate:
        name, value = node.parts[0], self.value(node.parts[1])
        self.know(name)
        self.reads_past = True
        self.kept = self.kept | {name}

        def execute(memory: Memory) -> Any:
            if node not in memory.inside:
                memory.inside[node] = True
                memory.now[name] = value(memory)
            return memory.now[name]

        return execute

    def do_assign(self, node: Node) -> Evaluate:
        name, value = node.parts[0], self.value(node.parts[1])
        if self.local is not None and name not in self.local:
            raise PineRuntimeError(f"a function cannot change the global {name}")

        def execute(memory: Memory) -> Any:
            if name not in memory.now:
                raise PineRuntimeError(f"{name} is changed before it is declared")
            memory.now[name] = found = value(memory)
            return found

        return execute

    def do_unpack(self, node: Node) -> Evaluate:
        names, value = node.parts[0], self.value(node.parts[1])
        for name in names:
            self.know(name)

        def execute(memory: Memory) -> Any:
            for name, part in zip(names, value(memory), strict=True):
                memory.now[name] = part

        return execute

    def do_if(self, node: Node) -> Evaluate:
        test, then, otherwise = self.value(node.parts[0]), self.block(node.parts[1]), self.block(node.parts[2])

        def execute(memory: Memory) -> Any:
            return then(memory) if truth(test(memory)) else otherwise(memory)

        return execute

    def do_for(self, node: Node) -> Evaluate:
        name, first, last, body = node.parts
        self.know(name)
        begin, end, execute_body = self.value(first), self.value(last), self.block(body)

        def execute(memory: Memory) -> Any:
            low, high = begin(memory), end(memory)
            step = 1 if high >= low else -1  # Pine counts down where the end is below the start
            try:
                for counter in range(low, high + step, step):
                    memory.now[name] = counter
                    execute_body(memory)
            except Break:
                pass

        return execute

    def know(self, name: str) -> None:
        if self.local is not None:
            self.local.add(name)

    # ---- expressions

    def value(self, node: Node) -> Evaluate:
        return getattr(self, f"of_{node.kind}")(node)

    def of_number(self, node: Node) -> Evaluate:
        constant = node.parts[0]
        return lambda memory: constant

    of_text = of_number

    def of_tuple(self, node: Node) -> Evaluate:
        items = [self.value(item) for item in node.parts[0]]
        return lambda memory: [item(memory) for item in items]

    def of_name(self, node: Node) -> Evaluate:
        name = node.parts[0]
        if self.local is not None and name in self.local:
            return lambda memory: memory.now[name]
        if name in {"true", "false"}:
            return lambda memory: name == "true"
        if name == "na":
            return lambda memory: NA
        if name == "bar_index":
            return lambda memory: self.bar
        if name in self.columns:
            column = self.columns[name]
            return lambda memory: column[self.bar]
        if "." in name:
            return lambda memory: name
        root = self.root

        def look_up(memory: Memory) -> Any:
            if name not in root.now:
                raise PineRuntimeError(f"there is no {name}")
            return root.now[name]

        return look_up

    def of_history(self, node: Node) -> Evaluate:
        name, offset = node.parts[0], self.value(node.parts[1])
        self.reads_past = True
        is_local = self.local is not None and name in self.local
        if not is_local and name in self.columns:
            column = self.columns[name]

            def look_back(memory: Memory) -> Any:
                back = whole(offset(memory))
                return column[self.bar - back] if back <= self.bar else NA

            return look_back
        if self.local is not None and not is_local:
            raise PineRuntimeError(f"history of the global {name} inside a function")
        self.tracked.add(name)
        current = self.of_name(Node("name", (name,)))

        def look(memory: Memory) -> Any:
            back = whole(offset(memory))
            if back == 0:
                return current(memory)
            past = memory.past.get(name, ())
            return past[-back] if back <= len(past) else NA

        return look

    def of_choose(self, node: Node) -> Evaluate:
        test, then, otherwise = (self.value(part) for part in node.parts)
        return lambda memory: then(memory) if truth(test(memory)) else otherwise(memory)

    def of_unary(self, node: Node) -> Evaluate:
        sign, operand = node.parts[0], self.value(node.parts[1])
        if sign == "not":
            return lambda memory: not truth(operand(memory))
        return lambda memory: -operand(memory)

    def of_binary(self, node: Node) -> Evaluate:
        sign, left, right = node.parts[0], self.value(node.parts[1]), self.value(node.parts[2])
        if sign == "and":
            return lambda memory: truth(left(memory)) and truth(right(memory))
        if sign == "or":
            return lambda memory: truth(left(memory)) or truth(right(memory))
        operation = OPERATIONS[sign]
        return lambda memory: operation(left(memory), right(memory))

    def of_call(self, node: Node) -> Evaluate:
        name, given, named = node.parts
        arguments = [self.value(argument) for argument in given]
        options = {key: self.value(option) for key, option in named.items()}
        if name in self.functions:
            return self.own_call(node, self.functions[name], arguments)
        if name in PURE:
            pure = PURE[name]
            return lambda memory: pure(*(argument(memory) for argument in arguments))
        if name in WINDOWS:
            self.reads_past = True
            return self.window_call(node, WINDOWS[name], arguments)
        special = getattr(self, "call_" + name.replace(".", "_"), None)
        if special is None:
            raise PineRuntimeError(f"{name} is not in the subset")
        return lambda memory: special(
            *(argument(memory) for argument in arguments), **{key: option(memory) for key, option in options.items()}
        )

    def window_call(self, node: Node, kind: type[Any], arguments: list[Evaluate]) -> Evaluate:
        def execute(memory: Memory) -> Any:
            state = memory.inside.get(node)
            if state is None:
                state = memory.inside[node] = (kind(), [-1])
            self.on_every_bar(state[1], kind.__name__)
            return state[0](*(argument(memory) for argument in arguments))

        return execute

    def on_every_bar(self, last: list[int], name: str) -> None:
        if last[0] != self.bar - 1:
            raise PineRuntimeError(f"{name} has a memory and must run on every bar; it skipped to bar {self.bar}")
        last[0] = self.bar

    def own_call(self, node: Node, function: Function, arguments: list[Evaluate]) -> Evaluate:
        body, tracked, has_memory = self.body_of(function)
        self.reads_past = self.reads_past or has_memory
        params = function.params

        def execute(memory: Memory) -> Any:
            values = [argument(memory) for argument in arguments]
            mine = memory.inside.get(node)
            if mine is None:
                mine = memory.inside[node] = Memory()
            if has_memory:
                last = [mine.last_bar]
                self.on_every_bar(last, function.name)
                mine.last_bar = last[0]
            for name, value in zip(params, values, strict=True):
                mine.now[name] = value
            found = body(mine)
            for name in tracked:
                mine.past.setdefault(name, []).append(mine.now[name])
            return found

        return execute

    def body_of(self, function: Function) -> tuple[Evaluate, set[str], bool]:
        if function.name not in self.bodies:
            outside = self.tracked, self.local, self.reads_past
            self.tracked, self.local, self.reads_past = set(), set(function.params), False
            body = self.block(function.body)
            self.bodies[function.name] = (body, self.tracked, self.reads_past)
            self.tracked, self.local, self.reads_past = outside
        return self.bodies[function.name]

    # ---- what a script calls on its host

    def call_strategy(self, title: str, **options: Any) -> None:
        self.declaration = {"title": title, **options}

    def call_input_int(self, default: int, title: str, **options: Any) -> Any:
        value = self.overrides.get(title, default)
        if "options" in options and value not in options["options"]:
            raise PineRuntimeError(f"{title} must be one of {options['options']}")
        for limit, breaks in (
            ("minval", value < options.get("minval", value)),
            ("maxval", value > options.get("maxval", value)),
        ):
            if breaks:
                raise PineRuntimeError(f"{title} = {value} breaks {limit}")
        self.inputs[title] = value
        return value

    call_input_float = call_input_string = call_input_bool = call_input_int

    def call_plot(self, value: Any, title: str, **_: Any) -> None:
        self.plots.setdefault(title, []).append(value)

    def call_strategy_entry(self, name: str, side: str) -> None:
        self.orders.append((self.bar, 1 if side == "strategy.long" else -1))

    def call_strategy_close_all(self) -> None:
        self.orders.append((self.bar, 0))

    def call_runtime_error(self, message: str) -> None:
        raise PineRuntimeError(message)

    def call_timeframe_in_seconds(self) -> int:
        return self.seconds

    def call_year(self, stamp: int, zone: str) -> int:
        return utc(stamp, zone).year

    def call_month(self, stamp: int, zone: str) -> int:
        return utc(stamp, zone).month


def utc(stamp: int, zone: str) -> datetime:
    if zone != "UTC":
        raise PineRuntimeError(f"zone {zone}")
    return datetime.fromtimestamp(stamp / 1000, UTC)


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise PineRuntimeError(f"a condition must be a bool, not {value!r}")
    return value


def whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise PineRuntimeError(f"an offset must be a whole number, not {value!r}")
    return value


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def found(*values: Any) -> Any:
        if any(is_na(value) for value in values):
            raise PineRuntimeError(f"{choose.__name__} of na")
        return choose(values)

    return found


def _unequal(left: Any, right: Any) -> bool:
    return not is_na(left) and not is_na(right) and left != right


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: math.fmod(a, b) if isinstance(a, float) else int(math.fmod(a, b)),
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": _unequal,
}
PURE: dict[str, Callable[..., Any]] = {
    "na": is_na,
    "int": int,
    "math.abs": abs,
    "math.max": _extreme(max),
    "math.min": _extreme(min),
    "math.sqrt": math.sqrt,
    "math.log": math.log,
    "math.floor": math.floor,
    "array.new_int": lambda size: [NA] * size,
    "array.new_float": lambda size, value=NA: [value] * size,
    "array.get": lambda items, at: items[whole(at)],
    "array.set": lambda items, at, value: items.__setitem__(whole(at), value),
    "array.push": lambda items, value: items.append(value),
    "array.size": len,
}


class Known:
    """The last values that are not na."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def window(self, value: float, length: int) -> list[float]:
        if not is_na(value):
            self.values.append(value)
            if len(self.values) > 4 * length + 64:
                del self.values[:-length]
        return self.values[-length:]


class Sum(Known):
    def __call__(self, value: float, length: int) -> float:
        return math.fsum(self.window(value, length))


class Sma(Known):
    def __call__(self, value: float, length: int) -> float:
        window = self.window(value, length)
        return NA if is_na(value) or len(window) < length else math.fsum(window) / length


class Wma(Known):
    def __call__(self, value: float, length: int) -> float:
        window = self.window(value, length)
        if is_na(value) or len(window) < length:
            return NA
        return sum(v * (k + 1) for k, v in enumerate(window)) / (length * (length + 1) / 2)


class Stdev(Known):
    def __call__(self, value: float, length: int, biased: bool = True) -> float:
        window = self.window(value, length)
        if is_na(value) or len(window) < length:
            return NA
        mean = math.fsum(window) / length
        return math.sqrt(math.fsum((v - mean) ** 2 for v in window) / (length if biased else length - 1))


class Dev(Known):
    def __call__(self, value: float, length: int) -> float:
        window = self.window(value, length)
        if is_na(value) or len(window) < length:
            return NA
        mean = math.fsum(window) / length
        return math.fsum(abs(v - mean) for v in window) / length


class Linreg(Known):
    def __call__(self, value: float, length: int, offset: int) -> float:
        window = self.window(value, length)
        if is_na(value) or len(window) < length:
            return NA
        middle, mean = (length - 1) / 2, math.fsum(window) / length
        slope = math.fsum((k - middle) * v for k, v in enumerate(window)) / math.fsum(
            (k - middle) ** 2 for k in range(length)
        )
        return mean + slope * (length - 1 - offset - middle)


class Highest(Known):
    def __call__(self, value: float, length: int) -> float:
        return max(self.window(value, length))


class Lowest(Known):
    def __call__(self, value: float, length: int) -> float:
        return min(self.window(value, length))


class Crossover:
    """source1 is above source2 now, and was below or equal to it on the bar before."""

    def __init__(self) -> None:
        self.before = (NA, NA)

    def __call__(self, left: float, right: float) -> bool:
        (was_left, was_right), self.before = self.before, (left, right)
        return left > right and was_left <= was_right


class Crossunder(Crossover):
    def __call__(self, left: float, right: float) -> bool:
        return super().__call__(-left, -right)


WINDOWS: dict[str, type[Any]] = {
    "math.sum": Sum,
    "ta.sma": Sma,
    "ta.wma": Wma,
    "ta.stdev": Stdev,
    "ta.dev": Dev,
    "ta.linreg": Linreg,
    "ta.highest": Highest,
    "ta.lowest": Lowest,
    "ta.crossover": Crossover,
    "ta.crossunder": Crossunder,
}
