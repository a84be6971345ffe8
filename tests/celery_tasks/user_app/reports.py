"""Tasks that do what tasks do."""

import os

from catalog import app
from marks import mark, wait_for_release


@app.task(bind=True)
def add(self, x, y=2):
    mark(self, "start")
    return {"sum": x + y}


@app.task(bind=True)
def say(self, value):
    mark(self, "start")
    return value


@app.task(bind=True, name="another.registered.name", queue="file_queue", ignore_result=True)
def routed(self):
    return {"queue": self.request.delivery_info["routing_key"]}


@app.task(queue="full_queue")
def lost():
    return None


@app.task(queue="ranked_queue")
def ranked():
    return "ranked"


def hold(self):
    """Go on until the test allows the end."""
    mark(self, f"start {os.getpid()}")
    try:
        wait_for_release(self)
    finally:
        mark(self, "finally")
    mark(self, "done")
    return {"held": True}


plain_hold = app.task(bind=True, name="reports.plain_hold")(hold)
tracked_hold = app.task(bind=True, name="reports.tracked_hold", track_started=True)(hold)
late_hold = app.task(bind=True, name="reports.late_hold", acks_late=True)(hold)
short_hold = app.task(bind=True, name="reports.short_hold", expires=1)(hold)


@app.task(bind=True)
def progress(self):
    self.update_state(state="PROGRESS", meta={"done": 1})
    return hold(self)


@app.task(bind=True, max_retries=1)
def retrying(self):
    mark(self, f"start {os.getpid()}")
    if not self.request.retries:
        raise self.retry(exc=RuntimeError("not yet"), countdown=1)
    return "at last"


@app.task
def big(size):
    return {"text": "é" * (size // 2), "ok": True}
