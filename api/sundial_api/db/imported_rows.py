"""Which executions came from another installation, whose history was imported?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Label, and_, case, func

from sundial_api.db.tables import ScheduledJobExecution

IMPORTED = "imported"
"""What `sources` of a row has that came from another installation: nothing of the cluster is about it."""

_ROWS = ScheduledJobExecution.__table__

CLAIMED_AUTHORSHIP: Label[Any] = case(
    (and_(_ROWS.c.triggered_by_user_id.is_not(None), func.jsonb_exists(_ROWS.c.sources, IMPORTED)), "claimed")
).label("authorship")
"""The authorship of what was imported, as no API here has seen who asked; null for all others."""
