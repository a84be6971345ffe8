"""What users do to schedules of the edited namespace while leaders are hurt; the ledger has each change.

Each is a context manager of the Scene, as in `disturbances`. It ends when a status shows what was done.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from chaos.changes import Kind
from chaos.crew import read_utc_clock
from chaos.faults import Scene
from chaos.stories import Story, read_story
from chaos.workload import (
    BROKEN,
    EDITED,
    FUNCTION,
    HASTENED,
    PAUSED,
    PAUSED_UNTIL,
    REPLACED,
    REWRITTEN,
    TOUCHED,
    build_function,
)

from sundial_devcluster.polling import until

SHOWN_SECONDS = 60.0
INSIST_SECONDS = 60.0
LONGEST_PAUSE = timedelta(minutes=5)
ANNOTATION = "sundial.dev/paused"
KIND_PATH = "/apis/sundial.dev/v1alpha1/namespaces/" + EDITED
NUMBERS = itertools.count(1)

Item = dict[str, Any]
Condition = Callable[[Item], bool]


@contextlib.contextmanager
def pause(scene: Scene) -> Iterator[None]:
    """Pause, edit something else, and resume: at any moment, or once somebody leads again."""
    until_then = (read_utc_clock() + LONGEST_PAUSE).replace(microsecond=0).isoformat()
    for names, value in ((PAUSED, "true"), (PAUSED_UNTIL, until_then)):
        _change(scene, names, Kind.HELD, "annotate", "--overwrite", f"{ANNOTATION}={value}")
    if scene.chance.random() < 0.5:
        _await_pauses(scene)
        resuming = _meanwhile(scene, _resume_all)
    else:
        resuming = _afterwards(scene, _await_and_resume_all)
    with resuming:
        yield
    _await_start_of_counting(scene, *PAUSED, *PAUSED_UNTIL)


@contextlib.contextmanager
def edit_schedules(scene: Scene) -> Iterator[None]:
    """Edit schedules at any moment: a value, and the kind of schedule, which removes a field."""
    with _meanwhile(scene, _edit_all):
        yield
    _await_start_of_counting(scene, HASTENED, REWRITTEN)


@contextlib.contextmanager
def touch(scene: Scene) -> Iterator[None]:
    """Edit what has nothing to do with the slots, at any moment."""
    with _meanwhile(scene, lambda scene: _touch(scene, TOUCHED)):
        yield


@contextlib.contextmanager
def replace_function(scene: Scene) -> Iterator[None]:
    """Delete a TaskFunction and create it again, at any moment."""
    with _meanwhile(scene, _replace_function):
        yield
    created = _read(scene, "taskfunctions", FUNCTION)["metadata"]["uid"]
    until(lambda: _is_used(scene, created), SHOWN_SECONDS, every=0.3)


@contextlib.contextmanager
def break_specs(scene: Scene) -> Iterator[None]:
    """Break specs, and mend them once that was seen."""
    for name, patch in BREAKS.items():
        _change(scene, [name], Kind.BROKEN, *_merge({"spec": patch}))
    with _afterwards(scene, _mend_all):
        yield
    _await_start_of_counting(scene, *BROKEN)


BREAKS: dict[str, Item] = {
    BROKEN[0]: {"schedule": {"timeZone": "right/Europe/Berlin"}},
    BROKEN[1]: {"template": None, "taskFunctionRef": {"name": "nobody"}},
}


def _mend_all(scene: Scene) -> None:
    for name in BROKEN:
        _await(scene, name, _is_broken)
        _change(scene, [name], Kind.MENDED, *_merge({"spec": _mend(scene, name)}))


def _mend(scene: Scene, name: str) -> Item:
    """Take back what was broken; the template is that of another schedule."""
    if name == BROKEN[0]:
        return {"schedule": {"timeZone": None}}
    template = _read(scene, "scheduledjobs", TOUCHED)["spec"]["template"]
    return {"taskFunctionRef": None, "template": template}


def _await_pauses(scene: Scene) -> None:
    for name in (*PAUSED, *PAUSED_UNTIL):
        _await(scene, name, _is_suspended)


def _await_and_resume_all(scene: Scene) -> None:
    _await_pauses(scene)
    _resume_all(scene)


def _resume_all(scene: Scene) -> None:
    """Take the pauses away in every way that kubectl has, after edits of something else."""
    for name in PAUSED:
        _touch(scene, name)
    for names, arguments in zip((PAUSED[:1], PAUSED[1:2], PAUSED[2:], PAUSED_UNTIL), REMOVALS, strict=True):
        _change(scene, names, Kind.RESUMED, *arguments)


def _edit_all(scene: Scene) -> None:
    period = _read_story(scene, HASTENED).schedule["interval"]["seconds"]
    faster = {"schedule": {"interval": {"seconds": 7 - period}}}
    _change(scene, [HASTENED], Kind.EDITED, *_merge({"spec": faster}))
    is_interval = "interval" in _read_story(scene, REWRITTEN).schedule
    kinds: Item = {"interval": {"seconds": 4}, "cron": None}
    if is_interval:
        kinds = {"interval": None, "cron": "*/3 * * * * *"}
    _change(scene, [REWRITTEN], Kind.EDITED, *_merge({"spec": {"schedule": kinds}}))


def _touch(scene: Scene, name: str) -> None:
    """Change a label, an annotation and two fields that name no slot."""
    number = next(NUMBERS)
    metadata = {"labels": {"touched": f"{number}"}, "annotations": {"example.com/touched": f"{number}"}}
    patch = {"metadata": metadata, "spec": {"displayName": f"Touched {number}", "args": {"number": number}}}

    def is_touched(item: Item) -> bool:
        return bool((item["metadata"].get("labels") or {}).get("touched") == f"{number}")

    _make_so(scene, {name: is_touched}, *_merge(patch))


def _replace_function(scene: Scene) -> None:
    with scene.ledger.note(Kind.REPLACED, _read_story(scene, REPLACED)):
        scene.arena.insist("delete", "tf", FUNCTION, "-n", EDITED, "--ignore-not-found")
        time.sleep(scene.chance.uniform(0, 1))
        scene.arena.insist("apply", "--server-side", "-f", "-", manifests=[build_function()])


def _is_used(scene: Scene, uid: str) -> bool:
    """Tell whether the operator knows a TaskFunction, and the schedule is ready with it."""
    function, item = _read(scene, "taskfunctions", FUNCTION), _read(scene, "scheduledjobs", REPLACED)
    is_known = function["metadata"]["uid"] == uid and bool(function.get("status"))
    return is_known and not _is_broken(item)


def _merge(patch: Item) -> tuple[str, ...]:
    return "patch", "--type=merge", "-p", json.dumps(patch)


REMOVALS: tuple[tuple[str, ...], ...] = (
    ("annotate", f"{ANNOTATION}-"),
    (
        "patch",
        "--type=json",
        "-p",
        json.dumps([{"op": "remove", "path": "/metadata/annotations/" + ANNOTATION.replace("/", "~1")}]),
    ),
    _merge({"metadata": {"annotations": {ANNOTATION: None}}}),
    ("annotate", f"{ANNOTATION}-"),
)


@contextlib.contextmanager
def _meanwhile(scene: Scene, act: Callable[[Scene], None]) -> Iterator[None]:
    """Do something at any moment from now until after the next takeover, whatever else is done."""
    seconds = scene.chance.uniform(0, 2 * scene.lease_seconds)

    def wait_and_act() -> None:
        time.sleep(seconds)
        act(scene)

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(wait_and_act)
        yield
        acting.result()


@contextlib.contextmanager
def _afterwards(scene: Scene, act: Callable[[Scene], None]) -> Iterator[None]:
    """Do something when somebody leads again, or nobody has for too long."""
    try:
        yield
    finally:
        act(scene)


def _change(scene: Scene, names: Sequence[str], kind: Kind, verb: str, *arguments: str) -> None:
    """Change ScheduledJobs by one command, and note when."""
    befores = {name: _read(scene, "scheduledjobs", name) for name in names}
    with contextlib.ExitStack() as notes:
        for before in befores.values():
            notes.enter_context(scene.ledger.note(kind, read_story(before)))
        _make_so(scene, {name: _differs_from(before) for name, before in befores.items()}, verb, *arguments)


def _make_so(scene: Scene, wanted: Mapping[str, Condition], verb: str, *arguments: str) -> None:
    """Run kubectl until the objects are as wanted: the API server may be away, and its answer lost."""

    def attempt() -> bool:
        scene.arena.try_kubectl(verb, "-n", EDITED, "sj", *wanted, *arguments)
        return all(is_so(_read(scene, "scheduledjobs", name)) for name, is_so in wanted.items())

    until(attempt, INSIST_SECONDS, every=0.5)


def _differs_from(before: Item) -> Condition:
    return lambda item: _read_wanted(item) != _read_wanted(before)


def _read_wanted(item: Item) -> tuple[Any, Any]:
    """Read what a user changes: the spec and the pause."""
    return item["spec"], (item["metadata"].get("annotations") or {}).get(ANNOTATION)


def _read(scene: Scene, plural: str, name: str) -> Item:
    return until(lambda: scene.arena.read(f"{KIND_PATH}/{plural}/{name}"), INSIST_SECONDS, every=0.3) or {}


def _read_story(scene: Scene, name: str) -> Story:
    return read_story(_read(scene, "scheduledjobs", name))


def _await(scene: Scene, name: str, condition: Condition) -> None:
    """Wait until the status shows the newest change, and note when."""
    item: Item = {}

    def look() -> bool:
        item.update(_read(scene, "scheduledjobs", name))
        return condition(item)

    until(look, SHOWN_SECONDS, every=0.2)
    scene.ledger.read(item["metadata"]["uid"])[-1].shown = read_utc_clock()


def _await_start_of_counting(scene: Scene, *names: str) -> None:
    """Wait until the status says from when slots count after the newest change."""

    def is_shown(item: Item) -> bool:
        start = read_story(item).effective_from
        return start is not None and start >= scene.ledger.read(item["metadata"]["uid"])[-1].begin

    for name in names:
        _await(scene, name, is_shown)


def _is_suspended(item: Item) -> bool:
    return _get_condition(item, "Suspended").get("status") == "True"


def _is_broken(item: Item) -> bool:
    return _get_condition(item, "Ready").get("status") == "False"


def _get_condition(item: Item, kind: str) -> Item:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})
