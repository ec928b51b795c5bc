"""Reports of finished batches, made when a batch ends and kept, so that no reader waits for the statistics twice."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from stratopt.optimization.batch_report import BatchAnalysisReport
from stratopt.optimization.jobs import Batch

MOST_REPORTS = 8

Make = Callable[[], BatchAnalysisReport]
log = logging.getLogger(__name__)


class ReportCache:
    """The latest reports by batch and row version. Safe for several threads; only finished batches are kept.

    A report that is being made is waited for, not made again; one that could not be made is tried again by the next reader.
    """

    def __init__(self) -> None:
        self._reports: OrderedDict[tuple[str, int], Future[BatchAnalysisReport]] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def get(self, batch: Batch, make: Make) -> BatchAnalysisReport:
        """The report of ``batch`` as it is, made if it is not known."""
        if not batch.state.is_terminal:
            return make()
        key = (batch.batch_id, batch.row_version)
        with self._lock:
            known = self._reports.get(key)
            found = known or Future()
            self._reports[key] = found
            self._reports.move_to_end(key)
            while len(self._reports) > MOST_REPORTS:
                self._reports.popitem(last=False)
        if known is None:
            self._make(key, found, make)
        return found.result()

    def _make(self, key: tuple[str, int], found: Future[BatchAnalysisReport], make: Make) -> None:
        try:
            found.set_result(make())
        except BaseException as error:  # noqa: BLE001 - told to everyone who waits
            with self._lock:
                self._reports.pop(key, None)
            found.set_exception(error)

    def in_background(self, action: Callable[[], object]) -> None:
        """Run ``action`` soon in a thread that does one thing at a time; what it raises is logged, for a reader will meet it too."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="stratopt-reports", daemon=True)
                self._thread.start()
        self._waiting.put(action)

    def close(self) -> None:
        """End the thread after what it is doing; what waits is dropped."""
        thread = self._thread
        if thread is None:
            return
        while not self._waiting.empty():
            self._waiting.get()
        self._waiting.put(None)
        thread.join()

    def _work(self) -> None:
        while (action := self._waiting.get()) is not None:
            try:
                action()
            except Exception:
                log.exception("report_not_prepared")
