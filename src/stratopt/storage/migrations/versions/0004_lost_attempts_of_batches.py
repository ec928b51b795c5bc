"""How many attempts were cut short, of which a batch's sums have only what their workers told last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the count; the sums of batches that ended before have nothing of such attempts."""
    op.add_column("batches", sa.Column("lost_attempts", sa.Integer(), nullable=False, server_default="0"))
