"""Tasks that end otherwise."""

import os
import signal

from catalog import app
from celery.exceptions import Ignore
from marks import FOLDER, mark, wait_for_release


class Odd(Exception):
    def __init__(self, first, second):
        super().__init__(f"odd {first} {second}")


@app.task(bind=True)
def fail(self, text="فشل المزامنة ✗"):
    mark(self, "start")
    raise ValueError(text)


@app.task
def fail_oddly():
    raise Odd(1, 2)


@app.task
def return_object():
    return object()


@app.task(bind=True)
def end_as(self, state):
    self.update_state(state=state, meta="by itself")
    raise Ignore


@app.task(bind=True)
def revoke_itself(self):
    self.app.control.revoke(self.request.id, terminate=True)
    wait_for_release(self)


@app.task
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def die_once(self):
    died = FOLDER / f"died-{self.request.id}"
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "the second time"


@app.task(bind=True)
def be_deaf(self):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark(self, f"start {os.getpid()}")
    wait_for_release(self)
    mark(self, "done")
