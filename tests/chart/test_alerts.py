"""Do the alerts fire when they should, and not otherwise? Asked of Prometheus's own evaluator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from testkit.helm_charts import render, select

from sundial_api.health import Stopwatch
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_operator.metrics import Metrics

ALERTS = Path("docs/alerts.md")
METRIC = re.compile(r"\b(?:sundial|process)_[a-z_]+")
ON = {"metrics": {"rules": {"enabled": True}, "dashboard": {"enabled": True}}}
MISSED = 'sundial_slot_verdicts_total{namespace="sundial-system",verdict="Missed",reason="%s"}'
LEADER = 'sundial_leader{namespace="sundial-system",pod="%s"}'
A, B = LEADER % "a", LEADER % "b"
MIRROR = 'sundial_mirror_synced{namespace="sundial-system",pod="c"}'
LEADS = {A: "1x60", MIRROR: "1x60"}
ANSWERS = 'sundial_api_request_seconds_count{namespace="sundial-system",status="%s",route="%s"}'
REJECTED = 'sundial_slot_verdicts_total{namespace="sundial-system",verdict="Skipped",reason="Rejected"}'
FENCE = 'sundial_fence{namespace="sundial-system",pod="a"}'
TWICE = 'sundial_leader{namespace="sundial-system",pod="a",job="another"}'
OTHERS = 'sundial_other_installations{namespace="sundial-system",pod="a"}'
RUNS = 'sundial_runs_total{namespace="sundial-system",result="%s"}'


def read_groups() -> list[dict[str, Any]]:
    (rules,) = select(render(ON), "PrometheusRule")
    groups: list[dict[str, Any]] = rules["spec"]["groups"]
    return groups


def run_promtool(folder: Path, *arguments: str) -> tuple[int, str]:
    program = shutil.which("promtool")
    assert program is not None, "There is no promtool: `apt-get install prometheus`."
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("series", "at", "firing"),
    [
        pytest.param(LEADS, "10m", "", id="all is well"),
        pytest.param({A: "0x30", B: "0x30", MIRROR: "1x60"}, "10m", "SundialNoLeader", id="nobody leads"),
        pytest.param({MIRROR: "1x60"}, "10m", "SundialNoLeader", id="no operator"),
        pytest.param({A: "1x30", B: "1x30", MIRROR: "1x60"}, "5m", "SundialManyLeaders", id="two lead"),
        pytest.param(LEADS | {TWICE: "1x60"}, "5m", "", id="one leads, scraped twice"),
        pytest.param(LEADS | {MISSED % "TooLate": "0x9 1x20"}, "12m", "SundialSlotsMissed", id="a miss"),
        pytest.param(LEADS | {MISSED % "Held": "0x9 1x20"}, "12m", "", id="a held one"),
        pytest.param(LEADS | {FENCE: "0x30"}, "15m", "SundialFenceDown", id="no fence"),
        pytest.param(LEADS | {OTHERS: "0x9 1x20"}, "15m", "SundialOtherInstallation", id="another one"),
        pytest.param(LEADS | {REJECTED: "0x9 1x20"}, "12m", "SundialStartsRejected", id="a refused Job"),
        pytest.param({A: "1x30"}, "10m", "SundialMirrorDown", id="no API"),
        pytest.param(
            LEADS | {ANSWERS % ("503", "/jobs"): "0+2x60", ANSWERS % ("200", "/readyz"): "0+30x60"},
            "30m",
            "SundialApiErrors",
            id="errors among probes",
        ),
        pytest.param(
            LEADS | {ANSWERS % ("503", "/readyz"): "0+30x60", ANSWERS % ("200", "/jobs"): "0+2x60"},
            "30m",
            "",
            id="probes that fail",
        ),
        pytest.param(
            {A: "0x30", B: "1x30", MIRROR: "1x60", FENCE: "0x30"}, "15m", "", id="a standby's fence"
        ),
        pytest.param(
            LEADS | {RUNS % "Failed": "0+1x60", RUNS % "Succeeded": "0+0.1x60"},
            "50m",
            "SundialRunsFailing",
            id="most fail",
        ),
        pytest.param(
            LEADS | {RUNS % "Failed": "0+0.1x60", RUNS % "Succeeded": "0+1x60"}, "50m", "", id="few fail"
        ),
    ],
)
def test_which_alerts_fire(tmp_path: Path, series: dict[str, str], at: str, firing: str) -> None:
    groups = read_groups()
    names = [rule["alert"] for group in groups for rule in group["rules"]]
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}}) > 0',
                    "eval_time": at,
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}]
                    if name == firing
                    else [],
                }
                for name in names
            ],
        }
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    for command in (("check", "rules", "rules.yaml"), ("test", "rules", "tests.yaml")):
        status, said = run_promtool(tmp_path, *command)
        assert status == 0, said


def list_series() -> set[str]:
    """List the series that the programs tell."""
    registry = CollectorRegistry()
    MirrorMetrics(registry)
    Stopwatch(lambda *_: None, registry)  # type: ignore[arg-type,return-value]
    families = {one.name: one for one in registry.collect()}
    families |= {one.name: one for one in text_string_to_metric_families(Metrics().render().decode())}
    ends = ("", "_total", "_bucket", "_count", "_sum")
    return {name + end for name in families for end in ends}


@pytest.mark.parametrize("kind", ["PrometheusRule", "ConfigMap"])
def test_what_is_asked_about_is_what_is_told(kind: str) -> None:
    (found,) = select(render(ON), kind)
    asked = set(METRIC.findall(json.dumps(found)))
    assert asked - list_series() == set()


def test_the_dashboard_is_whole() -> None:
    (found,) = select(render(ON), "ConfigMap", "dashboard")
    panels = json.loads(found["data"]["sundial.json"])["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    assert all('namespace="$namespace"' in target["expr"] for panel in panels for target in panel["targets"])


def test_each_alert_has_what_to_do_about_it() -> None:
    names = {rule["alert"] for group in read_groups() for rule in group["rules"]}
    headings = set(re.findall(r"^## (\w+)$", ALERTS.read_text(), re.MULTILINE))
    assert names == headings


def test_without_an_api_nothing_is_told_of_it() -> None:
    (rules,) = select(render(ON | {"api": {"enabled": False}}), "PrometheusRule")
    assert [group["name"] for group in rules["spec"]["groups"]] == ["sundial"]
