"""What is deployed speaks of metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from stratopt.monitoring.metrics import Metrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def exposed() -> set[str]:
    metrics = Metrics()
    names = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    families = {family.name for family in metrics.registry.collect()}
    queue = {
        "stratopt_queue_depth",
        "stratopt_queue_oldest_seconds",
        "stratopt_batches_active",
        "stratopt_workers_busy",
        "stratopt_workers",
        "stratopt_worker_utilisation",
        "stratopt_worker_memory_bytes",
        "stratopt_evaluations_per_second",
        "stratopt_admission_slowed",
    }
    return (
        names
        | {f"{family}{suffix}" for family in families for suffix in ("", "_total", "_bucket", "_count", "_sum")}
        | queue
    )


def named(text: str) -> set[str]:
    return set(re.findall(r"stratopt_[a-z_]+", text))


def test_the_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert named(expressions) - exposed() == set()
    assert len(dashboard["panels"]) == 14


def test_the_alerts_watch_metrics_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) == 8
    assert named(" ".join(rule["expr"] for rule in rules)) - exposed() == set()
    assert all(rule["annotations"]["summary"] for rule in rules)
