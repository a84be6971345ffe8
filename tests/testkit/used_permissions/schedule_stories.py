"""What people do to schedules by kubectl, so that the operator does all that it ever does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from testkit.helm_charts import NS
from testkit.processes.operators import JsonObject, Sundial, build_scheduled_job, build_template
from testkit.task_functions import build_function, read_function, read_ready
from testkit.used_permissions.stories import Story

from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.runs.runner_pods import read_archive

YEARLY = {"cron": "0 0 1 1 *"}
EVERY_SECOND = {"interval": {"seconds": 1}}
LONG = build_template(["sleep"], **{"pod-complete.stage.kwok.x-k8s.io/delay": "1h"})
FAILING = build_template(["false"], **{"devcluster.local/simulate": "Failed"})
RUNNER: str = build_config_map(read_archive())["metadata"]["name"]
QUOTA = "no-gadgets"
GADGET = "example.com/gadget"
EDITED = "edited"


def build_stories(user: Sundial) -> dict[str, Story]:
    """Build what is done while the first operator leads."""
    return {
        "retry": retry(user),
        "replace": replace(user),
        "forbid": forbid(user),
        "history": fill_history(user),
        "delete a Job": delete_job(user),
        "cancel": cancel(user),
        "quota": exceed_quota(user),
        "run by hand": run_by_hand(user),
        "functions": use_functions(user),
        "pause": pause(user),
    }


def retry(user: Sundial) -> Story:
    """Have a run fail, be tried again, and fail for good."""
    policy = {"count": 1, "delaySeconds": 0}
    user.apply(build_scheduled_job("retry", soon(), template=FAILING, retry=policy))
    yield lambda: user.status("retry").get("lastResult") == "Failed"
    assert len(user.jobs("retry")) == 2


def replace(user: Sundial) -> Story:
    """Have a run take the place of one that goes on."""
    policy = {"policy": "Replace"}
    user.apply(
        build_scheduled_job("replace", {"interval": {"seconds": 4}}, template=LONG, concurrency=policy)
    )
    yield lambda: has_ended(user, "replace", "Replaced")
    user.patch("replace", {"suspend": True})
    yield lambda: user.condition("replace", "Suspended").get("status") == "True"


def forbid(user: Sundial) -> Story:
    """Have slots skipped, which one Event counts, and a run that is over its time end."""
    how: JsonObject = {"timeoutSeconds": 8, "retry": {"count": 0}}
    user.apply(build_scheduled_job("forbid", EVERY_SECOND, template=LONG, **how))
    yield lambda: count_skipped(user, "forbid") > 1
    yield lambda: user.status("forbid").get("lastResult") == "TimedOut"
    user.patch("forbid", {"suspend": True})


def fill_history(user: Sundial) -> Story:
    """Have finished Jobs deleted, once they are old enough and mirrored."""
    kept: JsonObject = {"history": {"successful": 1}, "concurrency": {"policy": "Allow"}}
    user.apply(build_scheduled_job("history", EVERY_SECOND, **kept))
    yield lambda: len(user.jobs("history")) >= 3
    user.patch("history", {"suspend": True})
    yield lambda: len(user.jobs("history")) == 1


def delete_job(user: Sundial) -> Story:
    """Delete a Job that runs."""
    user.apply(build_scheduled_job("deleted", soon(), template=LONG))
    yield lambda: user.status("deleted").get("activeCount") == 1
    user.cluster.kubectl("delete", "job", "-n", user.ns, name_job(user, "deleted"))
    yield lambda: user.status("deleted").get("lastResult") == "Cancelled"


def cancel(user: Sundial) -> Story:
    """Cancel a run by kubectl."""
    user.apply(build_scheduled_job("cancelled", soon(), template=LONG))
    yield lambda: user.status("cancelled").get("activeCount") == 1
    mark = ("annotate", "job", "-n", user.ns, name_job(user, "cancelled"), "sundial.dev/cancel=true")
    user.cluster.kubectl(*mark)
    yield lambda: has_ended(user, "cancelled", "Cancelled")


def exceed_quota(user: Sundial) -> Story:
    """Have a Pod refused: only Events tell why."""
    user.cluster.kubectl("create", "quota", QUOTA, "-n", user.ns, f"--hard=requests.{GADGET}=0")
    path = f"/api/v1/namespaces/{user.ns}/resourcequotas/{QUOTA}"
    yield lambda: GADGET in str(user.cluster.get_json(path).get("status"))
    template = build_template(["true"])
    (container,) = template["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {GADGET: "1"}}
    how = {"startTimeoutSeconds": 2, "retry": {"count": 0}}
    user.apply(build_scheduled_job("refused", soon(), template=template, **how))
    yield lambda: user.status("refused").get("lastResult") == "Failed"
    assert f"exceeded quota: {QUOTA}" in user.status("refused")["recentSlots"][0]["message"]


def run_by_hand(user: Sundial) -> Story:
    """Ask for a run that goes by itself once it is over, and take another back that waits."""
    policy = {"policy": "Queue"}
    user.apply(build_scheduled_job("by-hand", YEARLY, concurrency=policy))
    user.apply(build_scheduled_job("by-hand-long", YEARLY, template=LONG, concurrency=policy))
    yield lambda: user.ready("by-hand") == user.ready("by-hand-long") == "Scheduled"
    user.apply(build_run("mortal", "by-hand", ttlSecondsAfterFinished=1))
    user.apply(build_run("first", "by-hand-long"))
    yield lambda: user.status("by-hand-long").get("activeCount") == 1
    user.apply(build_run("second", "by-hand-long"))
    yield lambda: "Queued" in read_run(user, "second").values()
    user.cluster.kubectl("delete", "sjr", "-n", user.ns, "second")
    yield lambda: not {"mortal", "second"} & {*list_names(user, "scheduledjobruns")}


def use_functions(user: Sundial) -> Story:
    """Make functions and Celery tasks, which need the runner."""
    user.apply(build_function("called"))
    user.apply(build_function("sent", {"celery": {"task": "tasks.sync"}}))
    yield lambda: all(read_ready(user, name).get("reason") == "Accepted" for name in ("called", "sent"))
    assert read_function(user, "called")["status"]["runner"] == RUNNER


def lose_runner(user: Sundial) -> Story:
    """Wait for a new leader to make the runner again that was deleted before; make and run a function."""
    yield lambda: RUNNER in list_config_maps(user)
    user.apply(build_function("late"))
    yield lambda: read_ready(user, "late").get("reason") == "Accepted"
    user.apply(build_scheduled_job("function", YEARLY, taskFunctionRef={"name": "late"}))
    user.apply(build_run("late", "function"))
    yield lambda: "Started" in read_run(user, "late").values()


def pause(user: Sundial) -> Story:
    """Pause a schedule, change its deadline, and let it go on."""
    user.apply(build_scheduled_job("paused", EVERY_SECOND, concurrency={"policy": "Allow"}))
    yield lambda: user.jobs("paused")
    mark = ("annotate", "sj", "-n", user.ns, "paused")
    user.cluster.kubectl(*mark, "sundial.dev/paused=true")
    yield lambda: user.condition("paused", "Suspended").get("status") == "True"
    user.patch("paused", {"timeoutSeconds": 20})
    user.cluster.kubectl(*mark, "sundial.dev/paused-")
    yield lambda: user.condition("paused", "Suspended").get("status") == "False"
    user.cluster.kubectl("delete", "sj", "-n", user.ns, "paused")


def set_hold(user: Sundial, value: str) -> None:
    """Hold all starts of the release, or let them go on."""
    metadata = {"name": "sundial", "namespace": NS}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"hold": value}}
    user.cluster.kubectl("apply", "-f", "-", input=json.dumps(config_map))


def edit_quickly(client: httpx.Client, user: Sundial, times: int = 20) -> None:
    """Edit a schedule whose status is written each second again and again: the operator may come too late."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{user.ns}/scheduledjobs/{EDITED}"
    headers = {"Content-Type": "application/merge-patch+json"}
    for number in range(times):
        patch = {"metadata": {"annotations": {"example.com/edit": str(number)}}}
        client.patch(path, json=patch, headers=headers).raise_for_status()


def soon() -> JsonObject:
    """Build a schedule of one slot that is about to come."""
    return {"at": (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0).isoformat()}


def build_run(name: str, job: str, **spec: Any) -> JsonObject:
    """Build a ScheduledJobRun."""
    kind = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJobRun"}
    return kind | {"metadata": {"name": name}, "spec": {"scheduledJobName": job, **spec}}


def read_run(user: Sundial, name: str) -> JsonObject:
    """Read the status of a ScheduledJobRun."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{user.ns}/scheduledjobruns/{name}"
    status: JsonObject = user.cluster.get_json(path).get("status", {})
    return status


def list_names(user: Sundial, plural: str) -> list[str]:
    """List the names of our objects of a kind."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{user.ns}/{plural}"
    return [one["metadata"]["name"] for one in user.cluster.get_json(path)["items"]]


def list_config_maps(user: Sundial) -> list[str]:
    """List the names of ConfigMaps."""
    path = f"/api/v1/namespaces/{user.ns}/configmaps"
    return [one["metadata"]["name"] for one in user.cluster.get_json(path)["items"]]


def name_job(user: Sundial, name: str) -> str:
    """Name the newest Job of a ScheduledJob."""
    return str(user.jobs(name)[-1]["metadata"]["name"])


def has_ended(user: Sundial, name: str, reason: str) -> bool:
    """Tell whether the operator has ended a Job of a ScheduledJob for that reason."""
    found = [job["metadata"]["annotations"].get("sundial.dev/ended") for job in user.jobs(name)]
    return reason in found


def count_skipped(user: Sundial, name: str) -> int:
    """Tell how many skipped slots an Event counts."""
    items = user.cluster.get_json(f"/apis/events.k8s.io/v1/namespaces/{user.ns}/events")["items"]
    said = [one for one in items if one["regarding"].get("name") == name and one["reason"] == "SlotSkipped"]
    return max((one.get("series", {}).get("count", 1) for one in said), default=0)
