"""What tasks leave behind for the tests: a file each, with a line for what happened."""

import os
import time
from pathlib import Path

FOLDER = Path(os.environ.get("MARKS", "/nonexistent"))
LONGEST = 120


def mark(task, text):
    with (FOLDER / task.request.id).open("a") as file:
        file.write(f"{text}\n")


def wait_for_release(task):
    end = time.monotonic() + LONGEST
    while time.monotonic() < end and not (FOLDER / f"release-{task.request.id}").exists():
        time.sleep(0.02)
