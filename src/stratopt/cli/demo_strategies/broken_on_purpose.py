"""A strategy with a bug, so that the demo shows what a failure looks like. It reads a key that its parameters do not have."""

from typing import Any

import stratopt


@stratopt.strategy(space={"period": stratopt.IntRange(5, 50, default=20)}, warmup=lambda params: params["period"])
def BrokenOnPurpose(bars: stratopt.Bars, params: dict[str, Any]) -> Any:
    """Broken on purpose: it asks for the parameter `lookback`, which does not exist."""
    return (bars.close > bars.close[params["lookback"]]).astype(int)
