"""What goes wrong beside a fault of the leader: bad weather on the way to the API server, spoilt namespaces.

What users change is in `users`, what delays or refuses writes in `hindrances`. Each is a context manager of
the Scene and has a line in DISTURBANCES. While it lasts the leader is hurt too.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from chaos.arena import create_schedules
from chaos.crew import read_utc_clock
from chaos.faults import Scene
from chaos.hindrances import refuse_statuses, slow_webhook
from chaos.proxies import Proxy
from chaos.users import break_specs, edit_schedules, pause, replace_function, touch
from chaos.weather import CLEAR, Trouble, Weather
from chaos.workload import (
    FLEETING,
    POISONED,
    SLOW,
    STEADY,
    TIGHT,
    build_poison,
    build_quota,
    build_request,
    build_schedules,
)

from sundial_devcluster.polling import until

# Kubernetes deletes the Pods of a namespace first and waits for the Job controller to let go of them, which
# makes 20 requests a second for all namespaces: that takes minutes while Jobs keep it busy.
GONE_SECONDS = 300.0
LEFT_BEHIND = (
    ("/api/v1", "pods"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/sundial.dev/v1alpha1", "scheduledjobs"),
)
MAX_SECONDS = 6.0
RUN = "sundial.dev/run"
ROUNDS = itertools.count(1)


@contextlib.contextmanager
def everywhere(scene: Scene, trouble: Trouble, share: float) -> Iterator[None]:
    """Let a share of all operators' requests meet trouble."""
    with weather_at(scene.arena.proxies.all, Weather(trouble, share)):
        yield


@contextlib.contextmanager
def at_one(scene: Scene, trouble: Trouble) -> Iterator[None]:
    """Let all requests of one operator meet trouble."""
    with weather_at([scene.chance.choice(scene.arena.proxies.all)], Weather(trouble)):
        yield


@contextlib.contextmanager
def skew(scene: Scene, least: float, most: float) -> Iterator[None]:
    """Let the API server's clock seem wrong to one operator, either way."""
    seconds = scene.chance.uniform(least, most) * scene.chance.choice((-1, 1))
    with weather_at([scene.chance.choice(scene.arena.proxies.all)], Weather(Trouble.SKEWED, 1, seconds)):
        yield


@contextlib.contextmanager
def delete_jobs(scene: Scene) -> Iterator[None]:
    """Delete some Jobs by hand: the one thing in which the exactly-once promise has an exception."""
    items = (scene.arena.read(f"/apis/batch/v1/namespaces/{STEADY}/jobs") or {}).get("items", [])
    for job in scene.chance.sample(items, min(3, len(items))):
        run = job["metadata"]["labels"].get(RUN, "")
        scene.deleted_by_hand.setdefault(run, read_utc_clock())
        scene.arena.try_kubectl("delete", "job", "-n", STEADY, job["metadata"]["name"], "--wait=false")
    yield


@contextlib.contextmanager
def delete_namespace(scene: Scene) -> Iterator[None]:
    """Delete a namespace with its schedules, and make it again."""
    scene.arena.insist("delete", "namespace", FLEETING, "--wait=false", "--ignore-not-found")
    yield
    try:
        until(lambda: not _has_namespace(scene), GONE_SECONDS, every=0.3)
    except TimeoutError as error:
        raise TimeoutError(f"{FLEETING} is still there: {_describe_rest(scene)}") from error
    create_schedules(scene.arena, FLEETING)


@contextlib.contextmanager
def refuse(scene: Scene, limits: dict[str, str]) -> Iterator[None]:
    """Set a quota that refuses everything in the tight namespace."""
    scene.arena.insist("apply", "-f", "-", manifests=[build_quota(limits)])
    yield
    scene.arena.insist("delete", "resourcequota", "chaos", "-n", TIGHT, "--ignore-not-found")


@contextlib.contextmanager
def poison(scene: Scene) -> Iterator[None]:
    """Create objects that are wrong in every way that the API server lets pass."""
    manifests = build_poison(next(ROUNDS))
    scene.arena.insist("apply", "--server-side", "-f", "-", manifests=manifests)
    yield
    names = [one["metadata"]["name"] for one in manifests]
    scene.arena.insist("delete", "sj", "-n", POISONED, "--ignore-not-found", *names)


@contextlib.contextmanager
def ask(scene: Scene) -> Iterator[None]:
    """Ask for runs of several schedules, beside their slots."""
    number = next(ROUNDS)
    schedules = [one["metadata"]["name"] for one in build_schedules(STEADY)]
    asked = scene.chance.sample(schedules, 5)
    manifests = [build_request(f"asked-{number}-{name}", name) for name in asked]
    scene.arena.insist("apply", "--server-side", "-f", "-", manifests=manifests)
    yield


@contextlib.contextmanager
def weather_at(proxies: list[Proxy], weather: Weather) -> Iterator[None]:
    """Set the weather for a while: it may keep everybody from leading, so it ends by itself."""

    def clear() -> None:
        for proxy in proxies:
            if proxy.weather is weather:  # a fault may have set another one since
                proxy.weather = CLEAR

    timer = threading.Timer(MAX_SECONDS, clear)
    for proxy in proxies:
        proxy.weather = weather
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        clear()


def _describe_rest(scene: Scene) -> str:
    """Say what keeps the namespace: the namespace controller's words, and what is left with its finalizers.

    The controller sets no condition while it waits for Pods.
    """
    namespace = scene.arena.read(f"/api/v1/namespaces/{FLEETING}") or {}
    conditions = (namespace.get("status") or {}).get("conditions") or []
    left = {
        plural: Counter(
            ", ".join(item["metadata"].get("finalizers", ())) or "no finalizer"
            for item in (scene.arena.read(f"{api}/namespaces/{FLEETING}/{plural}") or {}).get("items", ())
        )
        for api, plural in LEFT_BEHIND
    }
    said = [one["message"] for one in conditions if one["status"] == "True"]
    return "; ".join([*said, *(f"{plural}: {dict(counts)}" for plural, counts in left.items())])


def _has_namespace(scene: Scene) -> bool:
    namespaces = scene.arena.read("/api/v1/namespaces")
    names = [item["metadata"]["name"] for item in (namespaces or {}).get("items", [])]
    return namespaces is None or FLEETING in names


Disturbance = Callable[[Scene], contextlib.AbstractContextManager[None]]

WEATHERS: dict[str, Disturbance] = {
    "429": partial(everywhere, trouble=Trouble.THROTTLED, share=0.3),
    "500": partial(everywhere, trouble=Trouble.ERRORS, share=0.3),
    "resets": partial(everywhere, trouble=Trouble.RESETS, share=0.3),
    "lost answers": partial(everywhere, trouble=Trouble.LOST_ANSWERS, share=0.3),
    "unheard answers": partial(everywhere, trouble=Trouble.UNHEARD, share=0.1),
    "delays": partial(everywhere, trouble=Trouble.SLOW, share=0.5),
    "410 for watches": partial(everywhere, trouble=Trouble.GONE, share=1.0),
    "stalled watches": partial(everywhere, trouble=Trouble.STALLED, share=1.0),
    "black hole": partial(at_one, trouble=Trouble.BLACK_HOLE),
    "clock off by seconds": partial(skew, least=6, most=50),
    "clock off by minutes": partial(skew, least=90, most=900),
}
USERS: dict[str, Disturbance] = {
    "paused and resumed": pause,
    "schedules edited": edit_schedules,
    "edits without a meaning": touch,
    "TaskFunction replaced": replace_function,
    "specs broken and mended": break_specs,
}
HINDRANCES: dict[str, Disturbance] = {
    "slow webhook, one namespace": partial(slow_webhook, namespaces=SLOW[:1]),
    "slow webhook, ten namespaces": partial(slow_webhook, namespaces=SLOW),
    "statuses refused": refuse_statuses,
}
DISTURBANCES: dict[str, Disturbance] = (
    WEATHERS
    | USERS
    | HINDRANCES
    | {
        "Jobs deleted by hand": delete_jobs,
        "namespace deleted": delete_namespace,
        "quota refuses Pods": partial(refuse, limits={"pods": "0"}),
        "quota refuses Jobs": partial(refuse, limits={"count/jobs.batch": "0"}),
        "poison": poison,
        "runs asked for": ask,
    }
)
