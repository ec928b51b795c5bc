"""hyperopt spaces as JSON trees.

A node is ``{"type": "value", "value"}``, ``{"type": "dict", "items": {key: node}}``, ``{"type": "list" | "tuple", "items": [node]}``,
``{"type": "choice", "name", "options": [node], "weights"?}`` or a distribution ``{"type": "uniform", "name", "low", "high"}``...
A label that is used in several places has equal nodes there and becomes one hyperopt node again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hyperopt import hp
from hyperopt.pyll import scope
from hyperopt.pyll.base import Apply, Literal

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import ARGUMENTS, Distribution
from stratopt.search.nodes import read_parameter, write_parameter
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Parameter

Node = Mapping[str, Any]


def write_tree(space: Any) -> dict[str, Any]:
    """The JSON tree of a hyperopt space, or ParameterSpaceError naming the node that has none."""
    return _write(space, "space", {})


def _write(space: Any, at: str, labels: dict[str, Node]) -> dict[str, Any]:
    if isinstance(space, Mapping):
        for key in space:
            if not isinstance(key, str):
                raise _unknown(at, f"the key {key!r}, which is not text")
        return {"type": "dict", "items": {k: _write(v, f"{at}[{k!r}]", labels) for k, v in space.items()}}
    if isinstance(space, list | tuple):
        kind = "list" if isinstance(space, list) else "tuple"
        return {"type": kind, "items": [_write(v, f"{at}[{i}]", labels) for i, v in enumerate(space)]}
    if isinstance(space, Literal):
        return _write(space.obj, at, labels)
    if isinstance(space, Apply):
        return _write_apply(space, at, labels)
    if space is None or isinstance(space, bool | int | str) or (isinstance(space, float) and math.isfinite(space)):
        return {"type": "value", "value": space}
    raise _unknown(at, f"a {type(space).__name__}")


def _write_apply(node: Apply, at: str, labels: dict[str, Node]) -> dict[str, Any]:
    if node.name == "dict":
        return {"type": "dict", "items": {k: _write(v, f"{at}[{k!r}]", labels) for k, v in node.named_args}}
    if node.name == "pos_args":
        items = [_write(v, f"{at}[{i}]", labels) for i, v in enumerate(node.pos_args)]
        return {"type": "tuple", "items": items}
    if node.name == "switch":
        return _once(_write_choice(node, at, labels), at, labels)
    casts = []
    inner = node
    while inner.name in {"float", "int"} and len(inner.pos_args) == 1:
        casts.append(inner.name)
        inner = inner.pos_args[0]
    if inner.name != "hyperopt_param":
        raise _unknown(at, f"the operation {inner.name!r}")
    return _once(_write_distribution(inner, casts, at), at, labels)


def _write_choice(node: Apply, at: str, labels: dict[str, Node]) -> dict[str, Any]:
    chosen, *options = node.pos_args
    if chosen.name != "hyperopt_param" or chosen.pos_args[1].name not in {"randint", "categorical"}:
        raise _unknown(at, "a switch that is not a choice")
    written: dict[str, Any] = {
        "type": "choice",
        "name": chosen.pos_args[0].obj,
        "options": [_write(option, f"{at}.options[{i}]", labels) for i, option in enumerate(options)],
    }
    if chosen.pos_args[1].name == "categorical":
        written["weights"] = [float(_constant(w, at)) for w in _positional(chosen.pos_args[1].pos_args[0])]
    return written


def _write_distribution(param: Apply, casts: Sequence[str], at: str) -> dict[str, Any]:
    label, prior = param.pos_args[0].obj, param.pos_args[1]
    kind = prior.name
    if kind not in ARGUMENTS:
        raise _unknown(at, f"the distribution {kind!r} of {label!r}")
    names = ARGUMENTS[kind] if kind != "randint" or len(prior.pos_args) + len(prior.named_args) > 1 else ("high",)
    arguments = dict(zip(names, (_constant(a, at) for a in prior.pos_args), strict=False))
    arguments.update({name: _constant(a, at) for name, a in prior.named_args})
    whole = "int" in casts and kind != "randint"
    if whole and kind == "quniform" and [name for name, _ in prior.named_args] == ["q"]:
        kind, whole = "uniformint", False
    parameter = Distribution(kind, **arguments, whole=whole)
    return {**write_parameter(parameter), "name": label}


def _once(written: dict[str, Any], at: str, labels: dict[str, Node]) -> dict[str, Any]:
    """A label means one thing."""
    if labels.setdefault(written["name"], written) != written:
        raise ParameterSpaceError(
            f"{at}: the label {written['name']!r} is used for two different nodes; rename one",
            parameter=written["name"],
        )
    return written


def _constant(node: Any, at: str) -> Any:
    if isinstance(node, Literal) and isinstance(node.obj, int | float):
        return node.obj
    raise _unknown(at, "an argument that is not a number")


def _positional(node: Any) -> Sequence[Any]:
    return node.pos_args if node.name == "pos_args" else [Literal(float(value)) for value in node.obj]


def _unknown(at: str, what: str) -> ParameterSpaceError:
    return ParameterSpaceError(
        f"{at} has {what}; a space can carry hp.* expressions, dicts with text keys, lists, tuples and JSON scalars",
        code="not_serializable",
        node=at,
    )


def build(node: Node) -> Any:
    """The hyperopt space of a JSON tree."""
    return _build(node, {})


def _build(node: Node, built: dict[str, Any]) -> Any:
    kind = node.get("type")
    if kind == "value":
        return node["value"]
    if kind == "dict":
        return {key: _build(item, built) for key, item in node["items"].items()}
    if kind in {"list", "tuple"}:
        items = [_build(item, built) for item in node["items"]]
        return items if kind == "list" else tuple(items)
    name = str(node.get("name"))
    if name not in built:
        built[name] = _build_choice(node, built) if kind == "choice" else _build_distribution(node)
    return built[name]


def _build_choice(node: Node, built: dict[str, Any]) -> Any:
    options = [_build(option, built) for option in node["options"]]
    if "weights" in node:
        return hp.pchoice(node["name"], list(zip(node["weights"], options, strict=True)))
    return hp.choice(node["name"], options)


def _build_distribution(node: Node) -> Any:
    parameter = _read_distribution(node)
    make: Callable[..., Any] = getattr(hp, parameter.kind)
    if parameter.kind == "uniformint":
        return make(node["name"], parameter.low, parameter.high, q=parameter.q)
    expression = make(node["name"], *parameter.arguments)
    return scope.int(expression) if parameter.whole else expression


def _read_distribution(node: Node) -> Distribution:
    parameter = read_parameter(str(node.get("name")), {k: v for k, v in node.items() if k != "name"})
    if not isinstance(parameter, Distribution):
        raise ParameterSpaceError(
            f"{node.get('name')}: {node.get('type')!r} is no distribution of hyperopt", parameter=str(node.get("name"))
        )
    return parameter


def flatten(node: Node) -> ParameterSpace:
    """Every label of a tree as a parameter; those inside a choice exist only where it took that branch.

    A choice between distinct scalars keeps them as options, any other has the numbers of its branches.
    """
    found: dict[str, Node] = {}
    branches: dict[str, list[dict[str, Any]]] = {}
    for name, labelled, branch in _labels(node, {}):
        found.setdefault(name, labelled)
        branches.setdefault(name, []).append(branch)
    return ParameterSpace({name: _parameter(found[name], branches[name]) for name in _parents_first(found, branches)})


def _parents_first(found: Mapping[str, Node], branches: Mapping[str, Sequence[Mapping[str, Any]]]) -> Sequence[str]:
    """Labels in order of appearance, but after every choice that they depend on."""
    order: list[str] = []

    def place(name: str) -> None:
        if name not in order:
            for parent in (parent for branch in branches[name] for parent in branch):
                place(parent)
            order.append(name)

    for name in found:
        place(name)
    return order


def _labels(node: Node, branch: dict[str, Any]) -> Iterator[tuple[str, Node, dict[str, Any]]]:
    kind = node.get("type")
    if kind == "value":
        return
    if kind in {"dict", "list", "tuple"}:
        items = node["items"].values() if kind == "dict" else node["items"]
        for item in items:
            yield from _labels(item, branch)
        return
    yield node["name"], node, branch
    if kind == "choice":
        for value, option in zip(option_values(node), node["options"], strict=True):
            yield from _labels(option, {**branch, node["name"]: value})


def option_values(node: Node) -> Sequence[Any]:
    """The options of a choice, or their numbers where they are not distinct scalars."""
    options = node["options"]
    values = [option.get("value") for option in options]
    plain = all(option["type"] == "value" for option in options)
    return values if plain and len(set(map(repr, values))) == len(values) else list(range(len(options)))


def _parameter(node: Node, branches: Sequence[Mapping[str, Any]]) -> Parameter:
    when = None if any(not branch for branch in branches) else (branches[0] if len(branches) == 1 else list(branches))
    if node["type"] == "choice":
        return Choice(option_values(node), weights=node.get("weights"), when=when)
    return replace(_read_distribution(node), when=when)
