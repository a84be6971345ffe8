"""Deployments that were begun and never ended."""

from __future__ import annotations

from celery_app import celery_app


@celery_app.task(name="tasks.deployment_tasks.cleanup_stale_deployment_jobs")
def cleanup_stale_deployment_jobs(timeout_minutes: int = 60) -> dict[str, int]:
    """Give up deployments that are older than this; the example has none."""
    return {"jobs_cleaned": 0, "timeout_minutes": timeout_minutes}
