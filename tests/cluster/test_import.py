"""An original installation moves into a real cluster: dry run, suspended, switched on, and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from testkit.mirror_comparison import Comparison, Rows
from testkit.original_installation import OriginalInstallation, original_id
from testkit.processes.apis import make_user
from testkit.processes.imports import TEMPLATE, ImportCommand
from testkit.processes.mirrors import MirrorProcess

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

CRON = {"hour": "9", "minute": 30, "day_of_week": "mon-fri"}
Read = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def read(cluster: Cluster, namespace: str) -> Read:
    """Give what lists the objects of a kind in the test's namespace."""

    def list_objects(plural: str) -> list[dict[str, Any]]:
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{namespace}/{plural}"
        items: list[dict[str, Any]] = cluster.get_json(path)["items"]
        return items

    return list_objects


@pytest.fixture
def filled(original: OriginalInstallation) -> OriginalInstallation:
    """Give an original installation with an interval, a cron job that is off, and one that is paused."""
    original.add_job(
        *(1, {"hours": 0, "minutes": 5, "seconds": 0}),
        name="Sync users",
        task_args=json.dumps({"domain": "corp", "dry": None, "رقم": 3}),
        next_run_time="2026-01-15 10:02:03.25",
        max_instances=2,
        timeout_seconds=600,
        retry_count=1,
        retry_delay_seconds=5,
    )
    original.add_job(2, CRON, job_type_id=2, task_function_id=2, name="تقرير يومي", is_enabled=False)
    original.add_job(3, CRON, job_type_id=2, name="Sync users", is_paused=True)
    return original


def by_origin(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["annotations"]["sundial.dev/imported-from"]: item for item in items}


def list_versions(items: list[dict[str, Any]]) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}


def test_a_dry_run_writes_nothing_and_tells_all(
    importing: ImportCommand, filled: OriginalInstallation, read: Read, rows: Rows
) -> None:
    filled.add_execution(1, str(original_id(1)))
    report = importing.report()
    assert {one["outcome"] for one in [*report["taskFunctions"], *report["jobs"]]} == {"create"}
    assert [len(job["original"]) for job in report["jobs"]] == [20, 20, 20]
    assert [job["sundial"] == job["original"] for job in report["jobs"]] == [True, True, True]
    assert (report["applied"], report["history"]["added"]) == (False, 1)
    assert (read("scheduledjobs"), read("taskfunctions")) == ([], [])
    assert rows.read("SELECT count(*) FROM scheduled_job_executions") == [0]
    shown = importing.run("--templates", str(importing.templates)).stdout
    for said in ("20 the same", "تقرير يومي", "would be created", "Nothing was written", "both at 20"):
        assert said in shown


def test_jobs_arrive_suspended_and_as_they_were(
    importing: ImportCommand, filled: OriginalInstallation, read: Read, namespace: str
) -> None:
    report = importing.report("--apply")
    jobs = by_origin(read("scheduledjobs"))
    assert [job["spec"]["suspend"] for job in jobs.values()] == [True, True, True]
    spec = jobs[str(original_id(1))]["spec"]
    assert spec["schedule"] == {
        "interval": {"hours": 0, "minutes": 5, "seconds": 0},
        "anchor": "2026-01-15T08:02:03.250000Z",
        "timeZone": "Africa/Cairo",
        "dst": "Once",
    }
    assert spec["args"] == {"domain": "corp", "dry": None, "رقم": 3}
    assert spec["concurrency"] == {"policy": "Forbid", "maxInstances": 2}
    assert (spec["timeoutSeconds"], spec["retry"]) == (600, {"count": 1, "delaySeconds": 5})
    assert (spec["displayName"], spec["taskFunctionRef"]) == ("Sync users", {"name": "sync-domain-users"})
    paused = jobs[str(original_id(3))]["metadata"]["annotations"]
    assert paused["sundial.dev/paused"] == "true"
    functions = {item["metadata"]["name"]: item["spec"] for item in read("taskfunctions")}
    assert functions["sync-domain-users"]["handler"] == {
        "celery": {"task": "tasks.ad_sync_tasks.sync_domain_users_task", "queue": "ad_queue", "wait": True}
    }
    assert functions["sync-domain-users"]["template"] == TEMPLATE
    assert functions["cleanup-tokens"]["displayName"] == "تنظيف الرموز"
    mapping = {
        job["originalId"]: (job["namespace"], job["resourceName"], job["id"]) for job in report["jobs"]
    }
    metadata = {old: item["metadata"] for old, item in jobs.items()}
    assert mapping == {old: (namespace, one["name"], one["uid"]) for old, one in metadata.items()}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("options", [("--apply",), ("--apply", "--enable")])
@pytest.mark.parametrize(
    ("database", "said"), [("", "run `sundial-database upgrade`"), ("absent", "cannot be reached")]
)
def test_nothing_is_written_before_the_database_is_known_to_be_there(
    importing: ImportCommand,
    read: Read,
    rows: Rows,
    database: str,
    said: str,
    options: tuple[str, ...],
) -> None:
    unusable = rows.url.rpartition("/")[0] + f"/{database}" if database else importing.original.url
    importing.environment["SUNDIAL_API_DATABASE_URL"] = unusable
    done = importing.run("--templates", str(importing.templates), *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert "nothing was written" in done.stderr
    assert (read("scheduledjobs"), read("taskfunctions")) == ([], [])
    report = importing.report(status=3)
    assert said in report["databaseProblem"]
    assert {one["outcome"] for one in report["jobs"]} == {"create"}


def test_applying_twice_changes_nothing(
    importing: ImportCommand, filled: OriginalInstallation, read: Read, rows: Rows
) -> None:
    filled.add_execution(1, str(original_id(1)))
    importing.report("--apply")
    before = (list_versions(read("scheduledjobs")), list_versions(read("taskfunctions")))
    executions = rows.read("SELECT CAST(id AS text), change FROM scheduled_job_executions")
    report = importing.report("--apply")
    assert {one["outcome"] for one in [*report["taskFunctions"], *report["jobs"]]} == {"nothing"}
    assert (list_versions(read("scheduledjobs")), list_versions(read("taskfunctions"))) == before
    assert rows.read("SELECT CAST(id AS text), change FROM scheduled_job_executions") == executions


def test_jobs_are_switched_on_once_the_original_is_stopped(
    importing: ImportCommand, filled: OriginalInstallation, read: Read
) -> None:
    importing.report("--apply")
    filled.add_instance(30)
    refused = importing.run("--templates", str(importing.templates), "--apply", "--enable")
    assert (refused.returncode, "old-host may still run" in refused.stderr) == (1, True)
    for heartbeat, said in (("last_heartbeat - interval '1 hour'", "may still"), ("'infinity'", "cannot be")):
        filled.change(f"UPDATE scheduler_instances SET last_heartbeat = {heartbeat}")
        refused = importing.run("--templates", str(importing.templates), "--apply", "--enable")
        assert (refused.returncode, said in refused.stderr) == (1, True)
    now = "now() AT TIME ZONE 'Africa/Cairo'"
    filled.change(f"UPDATE scheduler_instances SET last_heartbeat = {now} - interval '5 minutes'")
    importing.report("--apply", "--enable")
    on = {str(original_id(1)): False, str(original_id(2)): True, str(original_id(3)): False}

    def list_suspended() -> dict[str, bool]:
        return {old: job["spec"]["suspend"] for old, job in by_origin(read("scheduledjobs")).items()}

    assert list_suspended() == on
    importing.report("--apply")
    assert list_suspended() == on


def test_what_somebody_changed_since_stays_theirs(
    importing: ImportCommand, filled: OriginalInstallation, read: Read, cluster: Cluster, namespace: str
) -> None:
    importing.report("--apply")
    name = by_origin(read("scheduledjobs"))[str(original_id(1))]["metadata"]["name"]
    patch = json.dumps({"spec": {"suspend": False, "retry": {"count": 7}}})
    cluster.kubectl("patch", "sj", name, "-n", namespace, "--type=merge", "-p", patch)
    filled.change("UPDATE scheduled_jobs SET max_instances = 3")
    report = importing.report("--apply", status=3)
    outcomes = {job["originalId"]: job["outcome"] for job in report["jobs"]}
    assert outcomes.pop(str(original_id(1))) == "refused"
    assert set(outcomes.values()) == {"change"}
    [problem] = [job["problem"] for job in report["jobs"] if job["outcome"] == "refused"]
    assert "changed by somebody else since" in problem
    assert "kubectl-patch" in problem
    spec = by_origin(read("scheduledjobs"))[str(original_id(1))]["spec"]
    assert (spec["retry"]["count"], spec["suspend"]) == (7, False)


def test_odd_rows_hurt_only_themselves(
    importing: ImportCommand, filled: OriginalInstallation, read: Read
) -> None:
    filled.loosen()
    odd = {
        10: filled.add_job(10, {"hours": 0}),
        11: filled.add_job(11, {"day": 30, "month": 2}, job_type_id=2),
        12: filled.add_job(12, {"hour": 25}, job_type_id=2),
        13: filled.add_job(13, "no object"),
        14: filled.add_job(14, CRON, job_type_id=2, task_args="[1, 2]"),
        15: filled.add_job(15, {"minutes": 5, "timezone": "Mars/Olympus"}),
        16: filled.add_job(16, {"minutes": 5}, next_run_time="infinity"),
        17: filled.add_job(17, {"minutes": 5}, max_instances=5_000),
        18: filled.add_job(18, {"minutes": 5}, retry_count=-1),
    }
    sound = [
        filled.add_job(30, {"minutes": 5}, name="x"),
        filled.add_job(31, {"minutes": 5}, name="\x1b[31m--/..\u202e%s" + "ن" * 180),
        filled.add_job(32, {"minutes": 5}, name=""),
    ]
    report = importing.report("--apply", status=3)
    problems = {job["originalId"]: job["problem"] for job in report["jobs"] if job["problem"]}
    assert set(problems) == set(odd.values())
    words = {10: "period is zero", 11: "no instant", 12: "out of range", 14: "task_args", 15: "Mars/Olympus"}
    words |= {13: "schedule_config", 16: "next_run_time", 17: "maxInstances", 18: "retry.count"}
    assert {number: word in problems[odd[number]] for number, word in words.items()} == dict.fromkeys(
        words, True
    )
    assert set(sound) <= set(by_origin(read("scheduledjobs")))
    shown = importing.run("--templates", str(importing.templates)).stdout
    assert "\x1b" not in shown


def test_an_object_that_is_not_ours_is_left_alone(
    importing: ImportCommand, filled: OriginalInstallation, read: Read, cluster: Cluster, namespace: str
) -> None:
    manifest = {"apiVersion": "sundial.dev/v1alpha1", "kind": "TaskFunction"}
    manifest |= {"metadata": {"name": "cleanup-tokens"}}
    manifest |= {"spec": {"handler": {"container": {}}, "template": TEMPLATE}}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(manifest))
    report = importing.report("--apply", status=3)
    told = {one["resourceName"]: one["problem"] for one in report["taskFunctions"]}
    assert told == {"sync-domain-users": None, "cleanup-tokens": "an object of that name is there already"}
    [mine] = [one for one in read("taskfunctions") if one["metadata"]["name"] == "cleanup-tokens"]
    assert mine["spec"]["handler"] == {"container": {}}
    jobs = by_origin(read("scheduledjobs"))
    assert set(jobs) == {str(original_id(1)), str(original_id(3))}


def test_what_no_template_fits_is_left_out_and_named(
    importing: ImportCommand, filled: OriginalInstallation, namespace: str
) -> None:
    importing.write_templates(namespace, handlers={"async_function": {"template": TEMPLATE}})
    report = importing.report(status=3)
    [function] = [one for one in report["taskFunctions"] if one["problem"]]
    assert "no template says its image" in function["problem"]
    assert "tasks.ad_sync_tasks.sync_domain_users_task" in function["problem"]
    assert [bool(job["problem"]) for job in sorted(report["jobs"], key=lambda job: job["name"])].count(
        True
    ) == 2


def test_the_namespace_has_to_be_there(importing: ImportCommand, filled: OriginalInstallation) -> None:
    importing.write_templates("no-such-namespace")
    report = importing.report(status=3)
    assert all("no-such-namespace" in one["problem"] for one in report["taskFunctions"])
    assert {job["problem"] for job in report["jobs"]} == {"its function was refused"}


def test_it_writes_as_whoever_runs_it(
    importing: ImportCommand, filled: OriginalInstallation, cluster: Cluster, namespace: str, read: Read
) -> None:
    functions = [{"apiGroups": ["sundial.dev"], "resources": ["taskfunctions"], "verbs": ["*"]}]
    reader = [{"apiGroups": ["sundial.dev"], "resources": ["scheduledjobs"], "verbs": ["list"]}]
    token = make_user(cluster, namespace, "half", functions + reader, "ClusterRole")
    login = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    login["users"][0]["user"] = {"token": token}
    importing.templates.with_name("login").write_text(json.dumps(login))
    importing.environment["KUBECONFIG"] = str(importing.templates.with_name("login"))
    report = importing.report("--apply", status=3)
    assert {one["outcome"] for one in report["taskFunctions"]} == {"create"}
    assert all("cannot patch resource" in job["problem"] for job in report["jobs"])
    assert read("scheduledjobs") == []


def test_history_stays_beside_a_mirror_that_begins_again(
    importing: ImportCommand,
    filled: OriginalInstallation,
    stopped_mirror: MirrorProcess,
    rows: Rows,
    comparison: Comparison,
) -> None:
    for number in range(30):
        filled.add_execution(number, str(original_id(1 + number % 3)))
    stopped_mirror.start()
    importing.report("--apply")
    until(lambda: rows.read("SELECT count(*) FROM scheduled_jobs") == [3])
    everything = (
        "SELECT CAST(id AS text), CAST(job_id AS text), change FROM scheduled_job_executions ORDER BY 1"
    )
    before, asked_at = rows.read(everything), datetime.now(UTC)
    assert stopped_mirror.end() == 0
    stopped_mirror.start()
    synced = "SELECT last_synced_at > :asked_at FROM scheduler_mirror_state"
    until(lambda: rows.read(synced, asked_at=asked_at) == [True])
    assert rows.read(everything) == before
    uids = {item["metadata"]["uid"] for item in comparison.list_schedules()}
    assert {job_id for _, job_id, _ in before} == uids


def test_a_database_built_anew_is_filled_again(
    importing: ImportCommand, filled: OriginalInstallation, rows: Rows
) -> None:
    filled.add_execution(1, str(original_id(1)))
    importing.report("--apply")
    rows.change("TRUNCATE scheduled_job_executions")
    assert importing.report("--apply")["history"]["added"] == 1
    assert rows.read("SELECT count(*) FROM scheduled_job_executions") == [1]
