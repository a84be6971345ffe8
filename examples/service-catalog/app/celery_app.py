"""The Celery application of the service catalog: three queues, broker and results by environment."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue

celery_app = Celery(
    "service_catalog",
    broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://127.0.0.1:6379/1"),
    include=["tasks.ad_sync_tasks", "tasks.deployment_tasks", "tasks.minio_file_tasks"],
)
celery_app.conf.update(
    # without a key of its own each queue would get what is meant for the others, too
    task_queues=[Queue(name, routing_key=name) for name in ("celery", "ad_queue", "file_queue")],
    task_default_queue="celery",
    task_track_started=True,
    broker_connection_retry_on_startup=True,
    # a worker that waits for an answer of Redis for ever takes no more tasks, and looks alive
    broker_transport_options={"socket_timeout": 10, "socket_keepalive": True},
)
