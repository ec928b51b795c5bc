"""ParameterSpaceSerializer: our spaces, hyperopt's and Optuna's as versioned JSON, and into each other.

Form 2: ``{"version": 2, "parameters": [node...], "constraints": [text...]}`` for a ParameterSpace, where a node has ``name``, ``type``
and the fields that are not at their default; ``{"version": 2, "tree": node}`` for a hyperopt space, which also keeps its nesting.
Form 1 had no constraints. Nothing is ever pickled or evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.nodes import read_parameter, write_parameter
from stratopt.search.parameter_space import ParameterSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

VERSION = 2
READABLE = (1, 2)


class ParameterSpaceSerializer:
    """Reads and writes spaces; what cannot be carried is a ParameterSpaceError that says which node.

    >>> from stratopt.search.parameters import IntRange
    >>> ParameterSpaceSerializer().to_json(ParameterSpace({"period": IntRange(2, 50)}))
    {'version': 2, 'parameters': [{'name': 'period', 'type': 'int', 'low': 2, 'high': 50}]}
    """

    def to_json(self, space: Any) -> dict[str, Any]:
        """The JSON form of a ParameterSpace, or of a hyperopt space (``hp`` expressions in dicts, lists and tuples)."""
        if not isinstance(space, ParameterSpace):
            from stratopt.search.hyperopt_tree import write_tree

            return {"version": VERSION, "tree": write_tree(space)}
        document: dict[str, Any] = {
            "version": VERSION,
            "parameters": [{"name": name, **write_parameter(p)} for name, p in space.parameters.items()],
        }
        if space.constraints:
            document["constraints"] = [constraint.text for constraint in space.constraints]
        return document

    def from_json(self, document: Mapping[str, Any]) -> ParameterSpace:
        """The space of a JSON form; a hyperopt space is flattened, every label a parameter."""
        if not isinstance(document, Mapping) or document.get("version") not in READABLE:
            version = document.get("version") if isinstance(document, Mapping) else None
            raise ParameterSpaceError(
                f"unknown version {version!r} of a parameter space; this release reads {' and '.join(map(str, READABLE))}",
                version=str(version),
            )
        if "tree" in document:
            from stratopt.search.hyperopt_tree import flatten

            return flatten(document["tree"])
        return ParameterSpace(_parameters(document), tuple(document.get("constraints", ())))

    def to_hyperopt(self, space: ParameterSpace | Mapping[str, Any]) -> Any:
        """The hyperopt space of a JSON tree, exactly, or of a ParameterSpace, its branches as nested dicts."""
        from stratopt.search.hyperopt_tree import build
        from stratopt.search.hyperopt_unflatten import unflatten

        if isinstance(space, ParameterSpace):
            return build(unflatten(space))
        return build(space["tree"]) if "tree" in space else build(unflatten(self.from_json(space)))

    def from_hyperopt(self, space: Any) -> ParameterSpace:
        """A hyperopt space as parameters named by label; those of a branch exist only in it."""
        return self.from_json(self.to_json(space))

    def to_optuna(self, space: ParameterSpace) -> dict[str, BaseDistribution]:
        """Optuna distributions by name."""
        from stratopt.search.optuna_space import to_optuna

        return to_optuna(space)

    def from_optuna(self, distributions: Mapping[str, BaseDistribution]) -> ParameterSpace:
        """The space of Optuna distributions."""
        from stratopt.search.optuna_space import from_optuna

        return from_optuna(distributions)

    def is_serializable(self, space: Any) -> bool:
        """Whether ``to_json`` can carry the space."""
        try:
            self.to_json(space)
        except ParameterSpaceError:
            return False
        return True


def _parameters(document: Mapping[str, Any]) -> dict[str, Any]:
    nodes = document.get("parameters")
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) and "name" in node for node in nodes):
        raise ParameterSpaceError("a parameter space needs parameters: a list of objects with a name")
    return {
        str(node["name"]): read_parameter(str(node["name"]), {k: v for k, v in node.items() if k != "name"})
        for node in nodes
    }
