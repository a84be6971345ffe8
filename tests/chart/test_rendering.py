"""What does the chart render? By values alone, what the program asks for, and nothing unknown to it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from testkit.helm_charts import CHART, HelmError, JsonObject, merge, render, render_text, run_helm, select
from testkit.role_rules import list_granted, list_wanted

from sundial_api.mirror.settings import MirrorSettings
from sundial_api.permissions import list_needed as list_api_needs
from sundial_api.settings import ApiSettings, AuthMode
from sundial_core.chart.policies import fill_in_defaults
from sundial_core.coordination.fence import build_fence
from sundial_core.coordination.marks_policies import Accounts, build_marks_policies
from sundial_core.resources.names import build_installation
from sundial_kube.permissions import Permission
from sundial_operator.permissions import list_needed, list_optional, list_unasked
from sundial_operator.settings import OperatorSettings

CASES = sorted((CHART / "ci").glob("*-values.yaml"))
LONG = "release-" + "x" * 45
OPERATOR, API = (f"system:serviceaccount:sundial-system:sundial-{name}" for name in ("operator", "api"))


def read_env(deployment: JsonObject) -> dict[str, Any]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "" if "valueFrom" not in one else None) for one in container["env"]}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_each_case_passes_the_lint_and_renders_the_same_twice(case: Path) -> None:
    assert "0 chart(s) failed" in run_helm("lint", CHART, "--strict", "--values", case)
    values = yaml.safe_load(case.read_text())
    once, again = (
        run_helm("template", "sundial", CHART, "--namespace", "sundial-system", "--values", case)
        for _ in range(2)
    )
    assert once == again
    names = [
        (one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in yaml.safe_load_all(once)
        if one
    ]
    assert len(names) == len(set(names)), values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"operator": {"replica": 3}}, "'replica' not allowed", id="a key that is none"),
        pytest.param({"api": {"auth": "none"}}, "must be one of 'kubernetes', 'oidc'", id="no log-in"),
        pytest.param({"api": {"auth": "oidc"}}, "api.oidc.issuer is needed", id="no issuer"),
        pytest.param({"operator": {"lease": {"seconds": 5}}}, "less than seconds", id="a short lease"),
        pytest.param({"image": {"repository": "a/b:1"}}, "/image/repository", id="a tag in the name"),
        pytest.param({"image": {"digest": "latest"}}, "/image/digest", id="no digest"),
        pytest.param({"scope": {"namespaces": ["Team"]}}, "/scope/namespaces/0", id="no namespace"),
        pytest.param({"api": {"ingress": {"enabled": True}}}, "api.ingress.host is needed", id="no host"),
        pytest.param(
            {"database": {"existingSecret": {"name": ""}}}, "the API needs a database", id="no database"
        ),
    ],
)
def test_a_mistake_in_the_values_is_told(values: JsonObject, said: str) -> None:
    with pytest.raises(HelmError, match="(?s)" + said.replace("(", r"\(")):
        render(values)


def test_each_value_is_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    del schema["properties"]["global"]
    assert list_missing(values, schema, "") == []


def list_missing(value: Any, schema: JsonObject, path: str) -> list[str]:
    """List the paths that only one of both has; what may hold anything is not looked into."""
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    assert schema["additionalProperties"] is False, path
    known = schema["properties"]
    lacking = [f"{path}.{key}" for key in value.keys() ^ known.keys()]
    return lacking + [
        one
        for key in value.keys() & known.keys()
        for one in list_missing(value[key], known[key], f"{path}.{key}")
    ]


@pytest.mark.parametrize(
    ("ns", "release"), [("sundial-system", "sundial"), ("n" * 63, "sundial"), ("team", LONG)]
)
def test_policies_are_those_of_the_core_with_what_the_server_fills_in(ns: str, release: str) -> None:
    installation = build_installation(ns, release)
    items = render({"fullnameOverride": "sun"}, ns=ns, release=release)
    operator, api = (f"system:serviceaccount:{ns}:sun-{name}" for name in ("operator", "api"))
    marks = build_marks_policies(installation, Accounts((operator,), (api,)))
    expected = [fill_in_defaults(one) for one in (*build_fence(installation, ns, release), *marks)]
    for one in expected:
        (found,) = select(items, one["kind"], one["metadata"]["name"])
        assert found["spec"] == one["spec"]


def test_bindings_hold_in_the_scope_and_the_signatures_say_so() -> None:
    items = render({"scope": {"namespaces": ["team-a", "team-b"]}})
    marks = build_marks_policies(
        "sundial-system.sundial", Accounts((OPERATOR,), (API,)), ["team-a", "team-b"]
    )
    for one in marks:
        (found,) = select(items, one["kind"], one["metadata"]["name"])
        expected = fill_in_defaults(one)["spec"]
        if one["kind"].endswith("Binding"):
            expected["matchResources"] |= {"matchPolicy": "Equivalent", "objectSelector": {}}
        assert found["spec"] == expected


@pytest.mark.parametrize("namespaces", [(), ("team-a", "team-b"), ("sundial-system", "team-a")], ids=str)
@pytest.mark.parametrize("runner", [True, False], ids=["runner", "no runner"])
def test_the_operators_roles_grant_what_it_asks_for_and_no_more(
    *,
    namespaces: tuple[str, ...],
    runner: bool,
) -> None:
    items = render({"scope": {"namespaces": list(namespaces)}, "runner": {"configMaps": runner}})
    needed = list(list_needed("sundial-system", "sundial", namespaces))
    if runner:
        role = "sundial-operator.sundial-system.sundial"
        needed += [*list_optional(namespaces), *list_unasked(namespaces, role)]
    assert list_granted(items, "sundial-operator") == list_wanted(needed)


@pytest.mark.parametrize("namespaces", [(), ("team-a", "team-b")], ids=str)
@pytest.mark.parametrize("auth", [AuthMode.KUBERNETES, AuthMode.OIDC])
@pytest.mark.parametrize("logs", [True, False], ids=["logs", "no logs"])
def test_the_apis_roles_grant_what_it_asks_for_and_no_more(
    *,
    namespaces: tuple[str, ...],
    auth: AuthMode,
    logs: bool,
) -> None:
    oidc = {"issuer": "https://id.example", "audience": "sundial"}
    values = {"api": {"auth": auth.value, "logs": {"enabled": logs}, "oidc": oidc}}
    items = render(values | {"scope": {"namespaces": list(namespaces)}})
    needed = list_api_needs("sundial-system", "sundial", namespaces, auth, reads_logs=logs)
    assert list_granted(items, "sundial-api") == list_wanted(needed)


def test_each_variable_is_one_that_the_programs_read() -> None:
    oidc = {"auth": "oidc", "oidc": {"issuer": "https://id.example", "audience": "sundial"}}
    deployments = {one["metadata"]["name"]: one for one in select(render({"api": oidc}), "Deployment")}
    known = {
        "sundial-operator": {f"SUNDIAL_{name.upper()}" for name in OperatorSettings.model_fields},
        "sundial-api": {f"SUNDIAL_{name.upper()}" for name in MirrorSettings.model_fields}
        | {f"SUNDIAL_API_{name.upper()}" for name in ApiSettings.model_fields},
    }
    for name, deployment in deployments.items():
        assert set(read_env(deployment)) <= known[name]


def test_defaults_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    deployments = {one["metadata"]["name"]: read_env(one) for one in select(render(), "Deployment")}
    own = ("NAMESPACE", "RELEASE", "ROLE", "IMAGE", "HEALTH_HOST", "LOG_FORMAT")
    for name, value in deployments["sundial-operator"].items():
        monkeypatch.setenv(name, value)
    told, default = OperatorSettings().model_dump(), OperatorSettings.model_construct().model_dump()
    assert {key for key in told if told[key] != default[key]} <= {key.lower() for key in own}


def test_a_database_may_be_named_by_keys_or_by_cloudnativepg() -> None:
    keys = {"host": "h", "port": "p", "user": "u", "password": "w", "database": "d"}
    (by_keys,) = select(render({"database": {"keys": keys}}), "Deployment", "api")
    pod = by_keys["spec"]["template"]["spec"]
    for container in (*pod["initContainers"], *pod["containers"]):
        env = {one["name"]: one for one in container["env"]}
        assert env["SUNDIAL_API_DATABASE_URL"]["value"] == "postgresql://"
        named = {"PGHOST": "h", "PGPORT": "p", "PGUSER": "u", "PGPASSWORD": "w", "PGDATABASE": "d"}
        for variable, key in named.items():
            assert env[variable]["valueFrom"]["secretKeyRef"] == {"name": "database", "key": key}
    (by_name,) = select(render({"database": {"cloudNativePG": {"cluster": "pg"}}}), "Deployment", "api")
    text = json.dumps(by_name)
    assert '{"name": "pg-app", "key": "uri"}' in text
    assert "/etc/sundial/database/ca.crt" in text
    assert '"secretName": "pg-ca"' in text


def test_only_main_containers_have_a_token() -> None:
    for deployment in select(render(), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        mounts = [one.get("volumeMounts", ()) for one in pod.get("initContainers", ())]
        assert "kube-api-access" not in json.dumps(mounts)
        assert "kube-api-access" in json.dumps(pod["containers"][0]["volumeMounts"])


def test_metrics_are_on_no_path_of_the_ingress() -> None:
    (ingress,) = select(render({"api": {"ingress": {"enabled": True, "host": "jobs.example"}}}), "Ingress")
    paths = [path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert paths == ["/api/v1/scheduler"]


def test_what_nobody_wants_is_not_rendered() -> None:
    off = {
        "crds": {"enabled": False},
        "api": {"enabled": False},
        "policies": dict.fromkeys(("fence", "authors", "guard", "marks"), False),
        "rbac": {"create": False, "aggregateToView": False},
        "operator": {"replicas": None, "serviceAccount": {"create": False}},
    }
    items = [one for one in render(off) if one]
    assert {one["kind"] for one in items} == {"Deployment", "Service", "Pod"}
    (operator,) = select(items, "Deployment")
    assert "replicas" not in operator["spec"]


def test_more_objects_are_rendered_as_templates() -> None:
    extra = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-a"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-b'}",
    ]
    found = select(render({"extraObjects": extra}), "ConfigMap")
    assert [one["metadata"]["name"] for one in found] == ["sundial-a", "sundial-b"]


def test_no_variable_has_an_empty_value() -> None:
    """Stored, such a variable has none: a GitOps tool would see a difference for ever."""
    for deployment in select(render(), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        for container in itertools.chain(pod.get("initContainers", ()), pod["containers"]):
            assert [one for one in container["env"] if one.get("value") == ""] == []


def test_helms_merge_is_ours() -> None:
    assert merge({"a": {"b": 1, "c": [1]}}, {"a": {"c": []}}) == {"a": {"b": 1, "c": []}}
    assert "replicas: 5" in render_text({"operator": {"replicas": 5}})


def test_permissions_are_told_apart_by_their_names() -> None:
    named = Permission("get", list_needed.__globals__["CONFIG_MAPS"], "a", name="x")
    assert str(named) == "get configmaps x (core) in namespace a"


@pytest.mark.parametrize("component", ["operator", "api"])
def test_variables_of_users_are_as_they_are_stored(component: str) -> None:
    source = {"secretKeyRef": {"name": "keys", "key": "a"}}
    given = [{"name": "A", "value": ""}, {"name": "B", "valueFrom": source}, {"name": "C", "value": "c"}]
    (deployment,) = select(render({component: {"extraEnv": given}}), "Deployment", component)
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert variables[-3:] == [{"name": "A"}, *given[1:]]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="the same"),
        pytest.param({"api": {"replicas": 3}}, id="what its Pods do not have"),
        pytest.param({"api": {"resources": {"limits": {"memory": "1Gi"}}}}, id="resources"),
        pytest.param({"commonLabels": {"team": "a"}}, id="labels"),
        pytest.param({"image": {"tag": "2"}}, id="image"),
    ],
)
def test_a_job_of_migrations_with_another_spec_has_another_name(values: JsonObject) -> None:
    mode = {"migrations": {"mode": "job"}}
    (before,) = select(render(mode), "Job")
    (after,) = select(render(mode | values), "Job")
    assert (before["spec"] == after["spec"]) is (before["metadata"]["name"] == after["metadata"]["name"])


def test_names_that_look_like_numbers_stay_names() -> None:
    for one in render({"scope": {"namespaces": ["456"]}}, ns="123", release="789"):
        metadata = one["metadata"]
        named = [metadata["name"], metadata.get("namespace", ""), *metadata.get("labels", {}).values()]
        assert {type(value) for value in named} == {str}, one
