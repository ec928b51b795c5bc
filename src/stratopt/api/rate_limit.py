"""How often a caller may ask: sliding windows per policy, told in the IETF's RateLimit headers."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

WINDOW_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a request may go on; ``retry_after_seconds`` is not earlier than the window's reset."""

    allowed: bool
    policy: str
    limit: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.reset_seconds}',
        }

    @property
    def retry_after_seconds(self) -> int:
        """When to come back."""
        return max(1, self.reset_seconds)


class _Counted(MemoryStorage):
    """The library's memory of requests; the library itself can only add to it."""

    def drop_latest(self, key: str) -> None:
        """Forget the latest request of a window, if there is one."""
        with self.locks[key]:
            if events := self.events.get(key):
                events.pop(0)


class RateLimiter:
    """Limits per policy (``submit``, ``read``) and caller, exact over the last minute, in the memory of this process."""

    def __init__(self, per_minute: dict[str, int]) -> None:
        self._limits = {policy: RateLimitItemPerMinute(count) for policy, count in per_minute.items()}
        self._counted = _Counted()
        self._strategy = MovingWindowRateLimiter(self._counted)

    def hit(self, policy: str, caller: str) -> Verdict:
        """Count a request."""
        return self._verdict(policy, caller, allowed=self._strategy.hit(self._limits[policy], policy, caller))

    def give_back(self, policy: str, caller: str) -> Verdict:
        """Take back a request that was counted and shall cost nothing."""
        self._counted.drop_latest(self._limits[policy].key_for(policy, caller))
        return self._verdict(policy, caller, allowed=True)

    def _verdict(self, policy: str, caller: str, *, allowed: bool) -> Verdict:
        limit = self._limits[policy]
        stats = self._strategy.get_window_stats(limit, policy, caller)
        return Verdict(
            allowed=allowed,
            policy=policy,
            limit=limit.amount,
            remaining=max(0, int(stats.remaining)),
            reset_seconds=max(0, math.ceil(stats.reset_time - time.time())),
        )
