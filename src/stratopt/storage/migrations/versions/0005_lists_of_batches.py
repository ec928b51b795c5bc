"""What a list tells of a batch without opening a result, and which batches have expired."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add both; of batches that were submitted before nothing is told, not even the best of the jobs that end from now on."""
    for name, kind in (
        ("strategies", sa.Integer()),
        ("symbols", sa.Text()),
        ("timeframes", sa.Text()),
        ("start_date", sa.Float()),
        ("end_date", sa.Float()),
        ("best_job", sa.Text()),
        ("best_index", sa.Integer()),
        ("best_sharpe_ratio", sa.Float()),
    ):
        op.add_column("batches", sa.Column(name, kind))
    op.create_table(
        "expired_batches",
        sa.Column("batch_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("expired_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("expired_batches_by_age", "expired_batches", ["expired_at"], unique=False)
