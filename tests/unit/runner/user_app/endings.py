"""Functions that end in every way."""

import atexit
import os
import signal
import sys
import time

import samples


def exits(code=None):
    sys.exit(code)


def takes_its_password():
    import os

    raise ValueError(os.environ.pop("DB_PASSWORD"))


def exits_hard(code=0):
    os._exit(code)


def segfault():
    import ctypes

    ctypes.string_at(0)


def killed(number):
    os.kill(os.getpid(), number)


def forks_and_returns():
    """Comes back twice, as a careless fork does."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return "child" if child == 0 else "parent"


def leaves_process_behind(end=None):
    """Leaves a process behind that holds the pipe of the report open for as long as anybody could read it."""
    supervisor = f"/proc/{os.getppid()}"
    if os.fork() == 0:
        os.closerange(0, 3)
        wait_until_gone(supervisor)
        os._exit(0)
    if end is not None:
        os._exit(end)
    return "left"


def wait_until_gone(path):
    until = time.monotonic() + 90  # longer than a test waits
    while os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.005)
    return not os.path.exists(path)


def orphan(ends):
    """Wait until an orphan has ended and process 1 has reaped it."""
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0)
        with open(ends, "w") as file:
            file.write(str(grandchild))
        os._exit(0)
    os.waitpid(child, 0)
    with open(ends) as file:
        return {"reaped": wait_until_gone(f"/proc/{file.read()}")}


def registers():
    atexit.register(print, "sent at the exit")


def waits():
    try:
        print("waiting", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)


async def waits_async():
    import asyncio

    try:
        print("waiting", flush=True)
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting", flush=True)
    time.sleep(60)


def default_handler():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print("waiting", flush=True)
    time.sleep(60)


def finishes_anyway():
    try:
        waits()
    except BaseException:
        return "finished"


def spawns():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(samples.plain, 4).result()


def starts_program():
    import subprocess

    return subprocess.check_output([sys.executable, "-c", "print(7)"], text=True)


def where():
    return {"path": sys.path, "argv": sys.argv, "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))}


def big():
    return {"deleted": 5, "ids": list(range(142857)), "ok": True}


def lists(count, last="\n"):
    """Prints, and returns that many numbers."""
    print("done", end=last)
    atexit.register(print, "at the exit", end=last)
    return {"ids": list(range(count)), "name": "é"}


def echoes(**args):
    return {"ids": list(range(args["count"])), **args}


def raises_much():
    raise ValueError("x" * 9000)


def closes_its_log():
    os.close(1)
    return {"ids": list(range(9000))}


def leaves_threads():
    """Returns while a thread and a pool are still at work."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Thread

    def work(name):
        time.sleep(0.3)
        print(name, flush=True)

    Thread(target=work, args=["thread"]).start()
    ThreadPoolExecutor(1).submit(work, "pool")
    return 1
