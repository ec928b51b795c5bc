"""What is deployed speaks of metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from stratopt.monitoring.metrics import Metrics
from stratopt.monitoring.resources import ResourceGate
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.retention import Retention
from stratopt.optimization.slots import SlotExecutor
from stratopt.storage.memory_job_store import MemoryJobStore

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def exposed() -> set[str]:
    metrics, store = Metrics(), MemoryJobStore()
    manager = BatchOptimizationManager(store, SlotExecutor(1), lambda job: {}, retention=Retention(store, 1.0))
    metrics.watch(manager, 1, ResourceGate(minimum_free_bytes=0, maximum_load_per_core=8.0))
    metrics.expect(failures=["worker_died"], rejections=["storage_full"])
    metrics.requests.labels("/", "GET", "2xx")
    metrics.latency.labels("/", "GET")
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


def named(text: str) -> set[str]:
    return set(re.findall(r"stratopt_[a-z_]+", text))


def test_the_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert named(expressions) - exposed() == set()
    assert len(dashboard["panels"]) == 15


def test_the_alerts_watch_metrics_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) == 8
    assert named(" ".join(rule["expr"] for rule in rules)) - exposed() == set()
    assert all(rule["annotations"]["summary"] for rule in rules)
