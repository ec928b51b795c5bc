"""The tables. Documents are JSON text, times Unix seconds (UTC)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    *(
        Column(name, Integer, nullable=False, default=0)
        for name in ("total", "queued", "running", "succeeded", "failed", "timed_out", "cancelled")
    ),
    Column("request", Text, nullable=False),
    Column("parallel_jobs", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("label", String(200)),
    Column("metadata", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("deadline_seconds", Float, nullable=False),
    Column("elapsed_seconds", Float, nullable=False, default=0.0),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("expires_at", Float),
    Column("last_seq", Integer, nullable=False, default=0),
    Column("row_version", Integer, nullable=False, default=0),
    Column("failure", Text),
    Column("worker_seconds", Float, nullable=False, server_default="0"),
    Column("cpu_seconds", Float, nullable=False, server_default="0"),
    Column("peak_memory_bytes", BigInteger, nullable=False, server_default="0"),
    Column("evaluations", BigInteger, nullable=False, server_default="0"),
    Column("lost_attempts", Integer, nullable=False, server_default="0"),
    Column("traceparent", String(64)),
    Column("strategies", Integer),
    Column("symbols", Text),
    Column("timeframes", Text),
    Column("start_date", Float),
    Column("end_date", Float),
    Column("best_job", Text),
    Column("best_index", Integer),
    Column("best_sharpe_ratio", Float),
    Index("batches_by_age", "owner", "created_at", "batch_id"),
    Index("batches_by_state", "state"),
)

expired_batches = Table(
    "expired_batches",
    metadata,
    Column("batch_id", String(40), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("expired_at", Float, nullable=False),
    Index("expired_batches_by_age", "expired_at"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(40), primary_key=True),
    Column("batch_id", String(40), ForeignKey("batches.batch_id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("strategy_id", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("evaluations_total", Integer, nullable=False, default=0),
    Column("evaluations_done", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("seq", Integer),
    Column("result", Text),
    Column("failure", Text),
    Column("resources", Text, nullable=False),
    UniqueConstraint("batch_id", "position"),
    Index("jobs_by_state", "batch_id", "state", "position"),
    Index("jobs_by_strategy", "batch_id", "strategy_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("fence", Integer, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String(200)),
)

events = Table(
    "events",
    metadata,
    Column("batch_id", String(40), ForeignKey("batches.batch_id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("path", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("batch_id", String(40), ForeignKey("batches.batch_id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Float, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", String(40), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("url", String(2000), nullable=False),
    Column("secret", String(100), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("disabled_at", Float),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", String(40), primary_key=True),
    Column("webhook_id", String(40), ForeignKey("webhooks.webhook_id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", String(40), nullable=False),
    Column("event", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float),
    Column("status_code", Integer),
    Column("error", String(500)),
    Column("created_at", Float, nullable=False),
    Column("delivered_at", Float),
    Index("deliveries_due", "next_at"),
)
