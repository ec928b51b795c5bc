"""What a batch has cost: seconds of workers and CPU, memory, evaluations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the sums; batches that ended before have zeros."""
    for name, kind in (
        ("worker_seconds", sa.Float()),
        ("cpu_seconds", sa.Float()),
        ("peak_memory_bytes", sa.BigInteger()),
        ("evaluations", sa.BigInteger()),
    ):
        op.add_column("batches", sa.Column(name, kind, nullable=False, server_default="0"))
