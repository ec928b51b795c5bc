"""The tables. Documents are JSON text, times Unix seconds (UTC)."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

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
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("expires_at", Float),
    Column("last_seq", Integer, nullable=False, default=0),
    Column("row_version", Integer, nullable=False, default=0),
    Column("failure", Text),
    Index("batches_by_age", "owner", "created_at", "batch_id"),
    Index("batches_by_state", "state"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(40), primary_key=True),
    Column("batch_id", String(40), ForeignKey("batches.batch_id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("state", String(16), nullable=False),
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
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
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
