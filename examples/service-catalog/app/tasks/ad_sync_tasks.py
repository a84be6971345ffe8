"""Users of the directory, as the catalog knows them."""

from __future__ import annotations

import time

from celery_app import celery_app

DOMAINS = {"corp.example": 128, "labs.example": 12, "campus.example": 1280}
"""How many users each domain of the example has: the last one takes long enough to end things meanwhile."""
USERS_PER_SECOND = 64


class DomainUnreachable(Exception):
    """The directory of a domain does not answer."""


@celery_app.task(name="tasks.ad_sync_tasks.sync_domain_users_task")
def sync_domain_users_task(domain: str = "corp.example") -> dict[str, object]:
    """Read the users of a domain; one that is unknown cannot be reached."""
    if domain not in DOMAINS:
        raise DomainUnreachable(f"تعذّر الوصول إلى دليل النطاق {domain}")
    users = DOMAINS[domain]
    time.sleep(users / USERS_PER_SECOND)
    return {"domain": domain, "synced": users}
