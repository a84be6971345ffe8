"""A Celery application as users have it: its workers and the runs import it."""

import os

from celery import Celery
from kombu import Queue

app = Celery(
    "catalog",
    broker=os.environ.get("BROKER"),
    backend=os.environ.get("BACKEND") or None,
    include=["reports", "endings"],
)
app.conf.update(
    task_queues=[
        Queue("celery"),
        Queue("file_queue"),
        Queue("ranked_queue", queue_arguments={"x-max-priority": 5}),
        Queue("full_queue", queue_arguments={"x-max-length": 0, "x-overflow": "reject-publish"}),
    ],
    task_default_queue="celery",
    worker_prefetch_multiplier=1,
    result_serializer=os.environ.get("RESULT_SERIALIZER", "json"),
    accept_content=["json", "pickle"],
    broker_connection_retry_on_startup=True,
)
