"""How the installation stands as its leader says, and up to when all is mirrored."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute(
        "ALTER TABLE scheduler_instances"
        " ADD COLUMN term bigint,"
        " ADD COLUMN fence varchar(20),"
        " ADD COLUMN held_by varchar(500),"
        " ADD COLUMN held_until varchar(500)"
    )
    op.execute("ALTER TABLE scheduler_mirror_state ADD COLUMN mirrored_until timestamptz")


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE scheduler_mirror_state DROP COLUMN mirrored_until")
    op.execute(
        "ALTER TABLE scheduler_instances"
        " DROP COLUMN term, DROP COLUMN fence, DROP COLUMN held_by, DROP COLUMN held_until"
    )
