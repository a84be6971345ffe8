"""What an operator tells those who look after it: alive, ready, metrics, and what it may not do."""

from __future__ import annotations

import json
import re

from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_devcluster.polling import until


def test_a_leader_is_alive_and_ready(sundial: Sundial) -> None:
    assert sundial.health("/livez")[0] == 200
    status, text = sundial.health("/readyz")
    assert status == 200
    assert "operator: leading in term" in text


def test_a_standby_is_ready_too(sundial: Sundial, start_operator: Starter) -> None:
    standby = start_operator(wait_for="standing by", SUNDIAL_NAMESPACE=sundial.ns)
    assert "operator: standing by" in standby.health("/readyz")[1]


def test_metrics_count_verdicts_runs_and_lateness(sundial: Sundial) -> None:
    missed = 'sundial_slot_verdicts_total{reason="TooLate",verdict="Missed"} 0.0'
    assert missed in sundial.health("/metrics")[1]  # before there is any: its increase can be seen
    sundial.apply(build_scheduled_job("tick", {"interval": {"seconds": 1}}))
    ended = re.compile(r'sundial_runs_total\{result="Succeeded"\} [1-9]')
    until(lambda: ended.search(sundial.health("/metrics")[1]))
    text = sundial.health("/metrics")[1]
    assert re.search(r'sundial_slot_verdicts_total\{reason="",verdict="Started"\} [1-9]', text)
    assert 'sundial_start_lateness_seconds_bucket{le="1.0"}' in text
    assert "sundial_leader 1.0" in text


def test_a_missing_permission_is_named_and_keeps_from_leading(
    start_operator: Starter, namespace: str
) -> None:
    sundial = start_operator()
    sundial.end()
    sundial.settings["KUBECONFIG"] = _log_in_as_reader(sundial)
    sundial.start(wait_for="not permitted, so not campaigning")
    status, text = sundial.health("/readyz")
    assert status == 503
    assert f"create jobs (batch) in namespace {namespace}" in text
    assert f"patch scheduledjobs/status (sundial.dev) in namespace {namespace}" in text
    assert "list jobs" not in text
    sundial.end()
    sundial.log.write_text("")


def _log_in_as_reader(sundial: Sundial) -> str:
    """Make a service account that may only read, and return a kubeconfig for it."""
    kubectl, ns = sundial.cluster.kubectl, sundial.ns
    kubectl("create", "serviceaccount", "reader", "-n", ns)
    kinds = "scheduledjobs.sundial.dev,taskfunctions.sundial.dev,jobs.batch,pods"
    kubectl("create", "role", "reader", "-n", ns, "--verb=get,list,watch", f"--resource={kinds}")
    kubectl("create", "rolebinding", "reader", "-n", ns, "--role=reader", f"--serviceaccount={ns}:reader")
    config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "reader", "-n", ns).strip()}
    path = sundial.log.with_suffix(".kubeconfig")
    path.write_text(json.dumps(config))
    return str(path)
