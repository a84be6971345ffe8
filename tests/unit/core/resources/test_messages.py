"""What is taken out of text that others wrote, and what stays."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.mirror_facts import (
    asked_fact,
    build_pod_item,
    build_schedule,
    build_termination,
    told_fact,
)
from testkit.scheduled_job_runs import build_run_marks
from testkit.scheduled_jobs import at, build_job_item, build_observed

from sundial_api.mirror.projection.batches import ObjectKind, parse_object
from sundial_api.mirror.projection.rejects import Reject
from sundial_api.mirror.projection.run_facts import PodFact, parse_pod_fact
from sundial_api.mirror.projection.slots import SlotRow, parse_slots
from sundial_clock.instants import format_instant
from sundial_core.resources import messages, names
from sundial_core.resources.messages import (
    MAX_MESSAGE_CHARS,
    MAX_TEXT_CHARS,
    clean_message,
    redact,
    redact_end,
    trim_message,
)
from sundial_core.runs.jobs import parse_outcome
from sundial_core.runs.pods import parse_pod
from sundial_core.runs.start_timeouts import explain_refusal
from sundial_kube.errors import ApiError, ApiUnreachable, parse_error

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-dGVzdA_x"
PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQVY\n-----END PGP PRIVATE KEY BLOCK-----"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "GET https://bob:hunter2@reg.io/v2/: 401", "GET https://[redacted]@reg.io/v2/: 401", id="URL"
        ),
        pytest.param(
            "https://bob:p@ss@reg.io/v2", "https://[redacted]@reg.io/v2", id="URL, @ in the password"
        ),
        pytest.param(
            "clone https://ghx@git.io/a.git", "clone https://[redacted]@git.io/a.git", id="URL, user only"
        ),
        pytest.param(
            "postgresql://u:p@db:5432/x", "postgresql://[redacted]@db:5432/x", id="URL of a database"
        ),
        pytest.param(
            "https://s3/x?X-Amz-Credential=AKIA/2&X-Amz-Signature=0af1&n=1",
            "https://s3/x?X-Amz-Credential=[redacted]&X-Amz-Signature=[redacted]&n=1",
            id="a signed URL",
        ),
        pytest.param("blob?sv=2020&sig=a%2Fb&se=1", "blob?sv=2020&sig=[redacted]&se=1", id="sig of a query"),
        pytest.param("maps?key=AbC-1&q=x", "maps?key=[redacted]&q=x", id="key of a query"),
        pytest.param("x?access_token=abc", "x?access_token=[redacted]", id="access_token"),
        pytest.param("--password=hunter --user=bob", "--password=[redacted] --user=bob", id="an option"),
        pytest.param("DB_PASSWORD='hun ter' set", "DB_PASSWORD=[redacted] set", id="a quoted value"),
        pytest.param("password: hunter2, retrying", "password: [redacted], retrying", id="password:"),
        pytest.param("token: 8f14e45fceea", "token: [redacted]", id="token:"),
        pytest.param("AWS_SECRET_ACCESS_KEY=a/b+c=", "AWS_SECRET_ACCESS_KEY=[redacted]", id="a secret key"),
        pytest.param(
            "AccountKey=Zm9v==;Suffix=x", "AccountKey=[redacted];Suffix=x", id="a connection string"
        ),
        pytest.param("api-key=k1", "api-key=[redacted]", id="an API key"),
        pytest.param("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]", id="Basic"),
        pytest.param(
            "authorization=Bearer abc.def", "authorization=Bearer [redacted]", id="Bearer in a header"
        ),
        pytest.param("sent Bearer 8f14e45fceea167a", "sent Bearer [redacted]", id="Bearer alone"),
        pytest.param(f"token {JWT} has expired", "token [redacted] has expired", id="a JWT"),
        pytest.param("key AKIAIOSFODNN7EXAMPLE denied", "key [redacted] denied", id="a key id of AWS"),
        pytest.param("with ghp_16C7e42F292c6912E7710c83", "with [redacted]", id="a token of GitHub"),
        pytest.param("with glpat-aBcD1234efGH5678ijKL", "with [redacted]", id="a token of GitLab"),
        pytest.param(f"tls: {PEM} is no key", "tls: [redacted] is no key", id="a private key"),
        pytest.param(PEM[:50], "[redacted]", id="the beginning of a private key"),
        pytest.param(
            '{"auths":{"r":{"auth":"Ym9iOng="}}}', '{"auths":{"r":{"auth":"[redacted]"}}}', id="auth"
        ),
        pytest.param(r"{\"password\": \"a b\"}", r"{\"password\": \"[redacted]\"}", id="JSON in JSON"),
        pytest.param('{"password": 12345678}', '{"password": [redacted]}', id="a number in JSON"),
        pytest.param("{'password': 'a b', 'n': 1}", "{'password': '[redacted]', 'n': 1}", id="Python's repr"),
        pytest.param("password = hunter", "password = [redacted]", id="an INI file"),
        pytest.param("api_key = 'a b'", "api_key = [redacted]", id="an INI file, quoted"),
        pytest.param("password: 'a bc'", "password: [redacted]", id="YAML, quoted"),
        pytest.param(
            "run --db-password hunter -v", "run --db-password [redacted] -v", id="an option's value"
        ),
        pytest.param("pass=hunter&x=1", "pass=[redacted]&x=1", id="pass="),
        pytest.param("Cookie: sid=a1; theme=b\nx", "Cookie: [redacted]\nx", id="a cookie"),
        pytest.param("with xoxb-123456789012-aBcDeF", "with [redacted]", id="a token of Slack"),
        pytest.param(
            "https://hooks.slack.com/services/T0/B0/x",
            "https://hooks.slack.com/services/[redacted]",
            id="a hook",
        ),
        pytest.param("with sk_live_51Habcdefghij", "with [redacted]", id="a key of Stripe"),
        pytest.param(PGP, "[redacted]", id="a private key of PGP"),
        pytest.param('{"client_secret":"x"}', '{"client_secret":"[redacted]"}', id="client_secret"),
    ],
)
def test_what_is_taken_out(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected, "what is redacted stays as it is"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Job was active longer than specified deadline",
        'Back-off pulling image "registry.io:5000/team/app:1.2"',
        "rpc error: failed to resolve reference docker.io/library/no-such:1: not found",
        "app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "docker-pullable://app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "failed to fetch oauth token: unexpected status from GET https://auth.io/token?scope=a%3Apull: 401",
        "failed to fetch anonymous token: 401 Unauthorized",
        "exceeded quota: few, requested: count/secrets=1, used: count/secrets=10, limited: count/secrets=10",
        "spec.template.spec.volumes[0].secret.secretName: Required value",
        "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value",
        "couldn't find key password in Secret team/db",
        'secret "token" not found',
        "invalid token: signature is expired",
        "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 2 Insufficient cpu.",
        'jobs.batch "tick-x" is forbidden: User "x" cannot create resource "jobs" in API group "batch"',
        "the server requires Basic authentication",
        "label selector key=value matched nothing",
        "mail ops@example.com about https://example.com/runbooks#quota",
        "Authorization failed: denied by policy",
        "if token == expected: the password was right",
        "unexpected token: '<' in JSON, cookie: none",
        "the pass of 12 tests, bypass=1234",
        "use --password-file /run/secrets/x",
        "container main exited with code 137 (OOMKilled)",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("x" * MAX_TEXT_CHARS + "token=abc", "x" * MAX_TEXT_CHARS + "token=[redacted]", id="all"),
        pytest.param(f"a {PEM} b", "a [redacted] b", id="a private key"),
        pytest.param(f"{PEM[40:]} b", "[redacted] b", id="the end of a private key"),
        pytest.param(f"{PEM[40:]} a {PEM} b", "[redacted] a [redacted] b", id="another one after it"),
        pytest.param("-----END CERTIFICATE----- b", "-----END CERTIFICATE----- b", id="a certificate"),
    ],
)
def test_what_is_taken_out_of_the_end_of_a_text(text: str, expected: str) -> None:
    assert redact_end(text) == expected


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "://",
        "://a",
        "eyJ-",
        "-eyJa.",
        "token:",
        "password=",
        '"auth":"',
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
    ],
)
def test_long_text_is_cut_before_it_is_searched(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(redact(text)) <= 3 * MAX_TEXT_CHARS
    assert redact(text) == redact(text[:MAX_TEXT_CHARS])
    assert len(clean_message(text)) <= MAX_MESSAGE_CHARS


@pytest.mark.parametrize(
    ("length", "expected"),
    [(MAX_MESSAGE_CHARS, "x" * MAX_MESSAGE_CHARS), (MAX_MESSAGE_CHARS + 1, "x" * 297 + "...")],
)
def test_messages_are_trimmed(length: int, expected: str) -> None:
    assert trim_message("x" * length) == clean_message("x" * length) == expected


def test_a_message_is_redacted_before_it_is_cut() -> None:
    text = "x" * 280 + " https://bob:hunter2@" + "h" * 100
    assert "hunter" not in clean_message(text)


def test_of_a_message_no_more_is_searched_than_can_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    monkeypatch.setattr(messages, "redact", lambda text, longest: searched.append(longest) or text[:longest])
    clean_message("x" * 10_000)
    assert searched == [1000]


SAID = "pull from https://bob:hunter2@reg.io failed"
FAILED = {"type": "Failed", "status": "True", "message": SAID, "lastTransitionTime": "2026-01-01T00:00:14Z"}


def build_waiting_pod() -> dict[str, Any]:
    return build_pod_item(build_job_item(10), waiting={"reason": "ErrImagePull", "message": SAID})


def build_failed_pod() -> dict[str, Any]:
    said = {"sundial": 1, "error": SAID, "traceback": f"Traceback\n{SAID}"}
    return build_pod_item(build_job_item(10), terminated=build_termination(3, said, reason=SAID))


def read_reject() -> Reject:
    item = build_job_item(10)
    item["metadata"]["labels"][names.RUN] = SAID
    value = parse_object(ObjectKind.JOB, item, 1)
    assert isinstance(value, Reject)
    return value


def read_slot() -> SlotRow:
    entry = {"slot": format_instant(at(10)), "verdict": "Skipped", "reason": "Rejected", "message": SAID}
    (row,) = parse_slots(build_schedule({"recentSlots": [entry]}))
    return row


def read_part() -> PodFact:
    part = parse_pod_fact(build_failed_pod(), 1).part
    assert isinstance(part, PodFact)
    return part


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param(lambda: parse_pod(build_waiting_pod()).wait, id="what a Pod waits for"),
        pytest.param(lambda: parse_pod(build_failed_pod()).failure, id="why a container ended"),
        pytest.param(lambda: explain_refusal([{"reason": "FailedCreate", "message": SAID}]), id="an event"),
        pytest.param(lambda: parse_outcome({"conditions": [FAILED]}, at(0)).message, id="a Job's condition"),
        pytest.param(
            lambda: build_observed(None, **build_run_marks(marks={names.ENDED_MESSAGE: SAID})).ended_message,
            id="the mark on a Job that was ended",
        ),
        pytest.param(lambda: ApiError(403, "Forbidden", SAID).message, id="a refusal"),
        pytest.param(lambda: ApiError(403, "Forbidden", SAID), id="a refusal in the log"),
        pytest.param(lambda: parse_error(500, f'{{"message": "{SAID}"}}'.encode(), None), id="an answer"),
        pytest.param(lambda: parse_error(502, SAID.encode(), None), id="an answer of a proxy"),
        pytest.param(lambda: ApiUnreachable(f"GET /: {SAID}"), id="no answer"),
        pytest.param(lambda: read_part().error, id="an error in the history"),
        pytest.param(lambda: read_part().traceback, id="a traceback in the history"),
        pytest.param(lambda: told_fact("Failed", message=SAID).part, id="what a status says of a run"),
        pytest.param(lambda: asked_fact(message=SAID).part, id="what a status says of a ScheduledJobRun"),
        pytest.param(lambda: read_slot().message, id="what a status says of a slot"),
        pytest.param(lambda: read_reject().error, id="why an object is in quarantine"),
        pytest.param(lambda: read_reject().document, id="an object in quarantine"),
    ],
)
def test_every_entry_is_guarded(taken: Any) -> None:
    text = str(taken())
    assert "hunter2" not in text
    assert "[redacted]" in text
