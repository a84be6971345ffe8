"""A Celery application with a task that takes a while."""

import os
import time

from celery import Celery

celery_app = Celery("bench", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
celery_app.conf.task_track_started = True


@celery_app.task(name="tasks.take")
def take(seconds):
    """Take so many seconds."""
    time.sleep(seconds)
    return {"took": seconds}
