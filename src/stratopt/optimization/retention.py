"""How long finished batches are kept, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stratopt.optimization.job_store import JobStore


class Retention:
    """Removes batches that their users delete or that were kept long enough.

    Parameters
    ----------
    store : JobStore
    seconds : float
        How long it is known that a batch has expired.
    forget : callable
        Hears of batches that were deleted or expired: nothing refers to their tables any more.
    tidy : callable
        Hears now and then what time it is (Unix seconds), to remove what else has been kept long enough.
    """

    def __init__(
        self,
        store: JobStore,
        seconds: float,
        *,
        forget: Callable[[str], None] = lambda batch_id: None,
        tidy: Callable[[float], object] = lambda now: None,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._forget = forget
        self._tidy = tidy

    def delete(self, batch_id: str) -> None:
        """Remove a batch that has ended, then its tables; BatchOptimizationError where the store refuses it."""
        self._store.delete_batch(batch_id)
        self._forget(batch_id)

    def remove_expired(self, now: float) -> Sequence[str]:
        """Remove what was kept long enough, and say which batches; that they were there is known for as long again."""
        removed = [batch_id for batch_id in self._store.expired(now) if self._store.expire_batch(batch_id, now)]
        for batch_id in removed:
            self._forget(batch_id)
        self._store.forget_expired(now - self._seconds)
        self._tidy(now)
        return removed
