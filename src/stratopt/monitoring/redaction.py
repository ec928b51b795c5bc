"""What no log line may show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SECRET_NAMES = re.compile(r"authorization|cookie|password|secret|token|(^|_)key$", re.IGNORECASE)
SECRET_VALUES = re.compile(r"stratopt_[A-Za-z0-9_-]{20,}|whsec_[A-Za-z0-9+/=]+")
REDACTED = "[redacted]"


def redacted(value: Any) -> Any:
    """A copy without the values of secret fields and without anything that looks like a key, however deep it is."""
    if isinstance(value, str):
        return SECRET_VALUES.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {name: REDACTED if _is_secret(name) else redacted(field) for name, field in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(field) for field in value]
    return value


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and SECRET_NAMES.search(name) is not None
