"""The part of Pine Script that exported scripts use: from text to a tree. Written from the language reference, knows nothing of stratopt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"""(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)
      |(?P<text>"(?:\\.|[^"\\])*")
      |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      |(?P<sign>=>|:=|\+=|-=|\*=|/=|==|!=|<=|>=|[-+*/%<>=?:,()\[\]])
      |(?P<space>[ \t]+)""",
    re.VERBOSE,
)
TYPES = {"int", "float", "bool", "string"}
BINARY = {"or": 1, "and": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
INDENT = 4


class PineSyntaxError(Exception):
    """Text that is not in the subset."""


@dataclass(frozen=True)
class Line:
    indent: int
    tokens: list[tuple[str, str]]
    number: int


@dataclass(frozen=True)
class Node:
    """One node: its kind and its parts; compared by identity, for each call site has its own memory."""

    kind: str
    parts: tuple[Any, ...] = ()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass
class Function:
    name: str
    params: list[str]
    body: list[Node] = field(default_factory=list)


def parse(source: str) -> tuple[dict[str, Function], list[Node]]:
    """Functions by name and the statements of the global scope."""
    version, *_ = source.split("\n", 1)
    if version.strip() != "//@version=6":
        raise PineSyntaxError(f"the first line must be //@version=6, not {version!r}")
    parser = Parser(_lines(source))
    statements = parser.block(0)
    return parser.functions, statements


def _lines(source: str) -> list[Line]:
    found: list[Line] = []
    depth = 0
    for number, text in enumerate(source.split("\n"), 1):
        tokens = _tokens(text, number)
        if not tokens:
            continue
        width = len(text) - len(text.lstrip(" "))
        if depth:
            if width % INDENT == 0:
                raise PineSyntaxError(f"line {number}: a continued line must not be indented by a multiple of four")
            found[-1].tokens.extend(tokens)
        else:
            if width % INDENT:
                raise PineSyntaxError(f"line {number}: indented by {width}")
            found.append(Line(width // INDENT, tokens, number))
        depth += sum((value in "([") - (value in ")]") for kind, value in tokens if kind == "sign")
    return found


def _tokens(text: str, number: int) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        if text.startswith("//", at):
            break
        match = TOKEN.match(text, at)
        if match is None:
            raise PineSyntaxError(f"line {number}: cannot read {text[at:]!r}")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
        at = match.end()
    return found


class Parser:
    """Recursive descent over lines and their tokens."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines, self.row = lines, 0
        self.functions: dict[str, Function] = {}
        self.tokens: list[tuple[str, str]] = []
        self.at = 0

    def block(self, indent: int) -> list[Node]:
        statements = []
        while self.row < len(self.lines) and self.lines[self.row].indent >= indent:
            if self.lines[self.row].indent > indent:
                raise PineSyntaxError(f"line {self.lines[self.row].number}: unexpected indentation")
            statement = self.statement(indent)
            if statement is not None:
                statements.append(statement)
        return statements

    def statement(self, indent: int) -> Node | None:
        line = self.lines[self.row]
        self.tokens, self.at = line.tokens, 0
        self.row += 1
        if self.tokens[-1] == ("sign", "=>"):
            return self.definition(indent)
        word = self.peek()
        if word == "if":
            return self.condition(indent)
        if word == "for":
            return self.loop(indent)
        if word in {"break", "continue"}:
            self.next()
            return self.ended(Node(word))
        if word == "[" and ("sign", "=") in self.tokens:
            return self.unpacking()
        return self.assignment()

    def definition(self, indent: int) -> None:
        name = self.next()
        params = []
        self.expect("(")
        while self.peek() != ")":
            if self.next() not in TYPES:
                raise PineSyntaxError(f"parameters of {name} need a type")
            params.append(self.next())
            if self.peek() == ",":
                self.next()
        self.functions[name] = function = Function(name, params)
        function.body = self.block(indent + 1)

    def condition(self, indent: int) -> Node:
        self.next()
        test = self.ended(self.expression())
        then = self.block(indent + 1)
        otherwise: list[Node] = []
        if self.row < len(self.lines):
            line = self.lines[self.row]
            if line.indent == indent and line.tokens[0] == ("name", "else"):
                if len(line.tokens) > 1:
                    self.lines[self.row] = Line(indent, line.tokens[1:], line.number)
                    nested = self.statement(indent)
                    assert nested is not None
                    otherwise = [nested]
                else:
                    self.row += 1
                    otherwise = self.block(indent + 1)
        return Node("if", (test, then, otherwise))

    def loop(self, indent: int) -> Node:
        self.next()
        name = self.next()
        self.expect("=")
        first = self.expression()
        if self.next() != "to":
            raise PineSyntaxError("for needs `to`")
        last = self.ended(self.expression())
        return Node("for", (name, first, last, self.block(indent + 1)))

    def unpacking(self) -> Node:
        self.expect("[")
        names = [self.next()]
        while self.peek() == ",":
            self.next()
            names.append(self.next())
        self.expect("]")
        self.expect("=")
        return Node("unpack", (names, self.ended(self.expression())))

    def assignment(self) -> Node:
        keeps = self.peek() == "var"
        if keeps:
            self.next()
        if self.peek() in TYPES and self.tokens[self.at + 1][0] == "name":
            self.next()
        if self.tokens[self.at][0] == "name" and self.at + 1 < len(self.tokens):
            name, sign = self.tokens[self.at][1], self.tokens[self.at + 1][1]
            if sign in {"=", ":=", "+=", "-=", "*=", "/="}:
                self.at += 2
                value = self.ended(self.expression())
                if sign == "=":
                    return Node("var" if keeps else "declare", (name, value))
                if sign != ":=":
                    value = Node("binary", (sign[0], Node("name", (name,)), value))
                return Node("assign", (name, value))
        return Node("expression", (self.ended(self.expression()),))

    # ---- expressions

    def expression(self) -> Node:
        test = self.binary(0)
        if self.peek() != "?":
            return test
        self.next()
        then = self.expression()
        self.expect(":")
        return Node("choose", (test, then, self.expression()))

    def binary(self, lowest: int) -> Node:
        left = self.unary()
        while (strength := BINARY.get(self.peek(), 0)) > lowest:
            sign = self.next()
            left = Node("binary", (sign, left, self.binary(strength)))
        return left

    def unary(self) -> Node:
        if self.peek() in {"-", "not"}:
            sign = self.next()
            return Node("unary", (sign, self.unary()))
        return self.postfix()

    def postfix(self) -> Node:
        kind, value = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            node = Node("number", (float(value) if any(c in value for c in ".e") else int(value),))
        elif kind == "text":
            node = Node("text", (value[1:-1].replace('\\"', '"').replace("\\\\", "\\"),))
        elif value == "(":
            node = self.expression()
            self.expect(")")
        elif value == "[":
            items = [self.expression()]
            while self.peek() == ",":
                self.next()
                items.append(self.expression())
            self.expect("]")
            return Node("tuple", (items,))
        elif kind == "name":
            node = self.call(value) if self.peek() == "(" else Node("name", (value,))
        else:
            raise PineSyntaxError(f"unexpected {value!r} in {self.tokens}")
        if self.peek() == "[":
            if node.kind != "name":
                raise PineSyntaxError("history of a name only")
            self.next()
            node = Node("history", (node.parts[0], self.expression()))
            self.expect("]")
        return node

    def call(self, name: str) -> Node:
        self.expect("(")
        given: list[Node] = []
        named: dict[str, Node] = {}
        while self.peek() != ")":
            if self.tokens[self.at][0] == "name" and self.tokens[self.at + 1] == ("sign", "="):
                key = self.next()
                self.expect("=")
                named[key] = self.expression()
            else:
                given.append(self.expression())
            if self.peek() == ",":
                self.next()
        self.expect(")")
        return Node("call", (name, given, named))

    # ---- tokens

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        value = self.peek()
        self.at += 1
        return value

    def expect(self, wanted: str) -> None:
        found = self.next()
        if found != wanted:
            raise PineSyntaxError(f"expected {wanted!r}, found {found!r} in {self.tokens}")

    def ended(self, node: Node) -> Node:
        if self.at != len(self.tokens):
            raise PineSyntaxError(f"unexpected {self.peek()!r} in {self.tokens}")
        return node
