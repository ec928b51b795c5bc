"""The span of the request that submitted a batch."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it; batches that were submitted before have none."""
    op.add_column("batches", sa.Column("traceparent", sa.String(64)))
