"""Reports of finished batches, kept so that a second format or reader does not compute the statistics again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from stratopt.optimization.batch_report import BatchAnalysisReport
from stratopt.optimization.jobs import Batch

MOST_REPORTS = 8


class ReportCache:
    """The latest reports by batch and row version. Safe for several threads; only finished batches are kept."""

    def __init__(self) -> None:
        self._reports: OrderedDict[tuple[str, int], BatchAnalysisReport] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, batch: Batch, make: Callable[[], BatchAnalysisReport]) -> BatchAnalysisReport:
        """The report of ``batch`` as it is, made if it is not known."""
        if not batch.state.is_terminal:
            return make()
        key = (batch.batch_id, batch.row_version)
        with self._lock:
            if key in self._reports:
                self._reports.move_to_end(key)
                return self._reports[key]
        report = make()
        with self._lock:
            self._reports[key] = report
            while len(self._reports) > MOST_REPORTS:
                self._reports.popitem(last=False)
        return report
