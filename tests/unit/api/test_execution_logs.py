"""Which Pod's log is a run's, which container is meant, what is left of what it wrote, and what is kept."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sundial_api.executions.logs import find_pod, show_tail
from sundial_api.executions.schemas import ExecutionLog, LogQuery
from sundial_api.http.errors import HTTPProblem
from sundial_api.mirror.pod_logs import choose_failed, list_containers
from sundial_api.mirror.projection.custody import KnownPod
from sundial_api.mirror.projection.log_texts import (
    READ_BYTES,
    RECORD_BYTES,
    LogTail,
    PodLog,
    build_tail,
    clean_text,
)
from sundial_core.resources import names


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param(b"one\n\ttwo\n", "one\n\ttwo\n", id="plain"),
        pytest.param("مهمة ✓".encode(), "مهمة ✓", id="any-language"),
        pytest.param(b"\x1b[31mred\x1b[0m \x1b[2Kgone", "red gone", id="colours"),
        pytest.param(b"\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy", id="titles-and-links"),
        pytest.param(b"10%\r20%\r\n", "10%\n20%\n", id="progress"),
        pytest.param(b"a\x00b\x07c\x7fd\xc2\x9be", "abcde", id="controls"),
        pytest.param("user\u202etxt.exe\u2066".encode(), "usertxt.exe", id="turned-around"),
        pytest.param(b"\xff\xfe caf\xe9", "\ufffd\ufffd caf\ufffd", id="no-utf-8"),
        pytest.param(b"\x1b[", "[", id="half-an-escape"),
    ],
)
def test_what_is_left_of_a_log(written: bytes, shown: str) -> None:
    assert clean_text(written) == shown


def attempt(number: int, job: str = "job", pod: str = "pod", controller: str = "job") -> dict[str, Any]:
    """Build a stored attempt; an empty name is what is not known."""
    return {
        "attempt": number,
        "job": {"uid": f"{job}-{number}"} if job else None,
        "pod": {"uid": f"{pod}-{number}", "name": pod, "job_uid": f"{controller}-{number}"} if pod else None,
    }


def row(*attempts: dict[str, Any], status: str = "failed") -> Any:
    return {"namespace": "team", "status": status, "attempts": list(attempts)}


@pytest.mark.parametrize(
    ("attempts", "wanted", "expected"),
    [
        pytest.param([attempt(1), attempt(2)], None, "pod-2", id="newest"),
        pytest.param([attempt(1), attempt(2)], 1, "pod-1", id="asked-for"),
        pytest.param([attempt(1), attempt(2, pod="")], None, "pod-1", id="newest-that-has-one"),
    ],
)
def test_whose_log_it_is(attempts: list[Any], wanted: int | None, expected: str) -> None:
    assert find_pod(row(*attempts), wanted).uid == expected


@pytest.mark.parametrize(
    ("attempts", "wanted"),
    [
        pytest.param([], None, id="none"),
        pytest.param([attempt(1)], 2, id="another-attempt"),
        pytest.param([attempt(1, controller="other")], None, id="of-another-job"),
        pytest.param([attempt(1, job="")], None, id="whose-job-is-not-known"),
        pytest.param([attempt(1, controller="")], None, id="whose-controller-is-not-known"),
    ],
)
def test_a_pod_that_is_not_proved_has_no_log(attempts: list[Any], wanted: int | None) -> None:
    for status, expected in (("failed", 404), ("running", 409)):
        with pytest.raises(HTTPProblem) as refused:
            find_pod(row(*attempts, status=status), wanted)
        assert refused.value.status == expected


def test_the_first_container_is_the_one_that_is_marked() -> None:
    pod: Any = {
        "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "main"}},
        "spec": {"containers": [{"name": "mesh"}, {"name": "main"}], "initContainers": [{"name": "load"}]},
    }
    assert list_containers(pod) == ["main", "mesh", "load"]
    assert list_containers(pod | {"metadata": {}}) == ["mesh", "main", "load"]


def state(name: str, **how: Any) -> dict[str, Any]:
    return {"name": name, "state": how}


RUNS, WAITS = {"running": {}}, {"waiting": {}}
FAILED, ENDED = {"terminated": {"exitCode": 1}}, {"terminated": {"exitCode": 0}}


@pytest.mark.parametrize(
    ("main", "mesh", "load", "expected"),
    [
        pytest.param(FAILED, ENDED, ENDED, "main", id="the-one-that-failed"),
        pytest.param(FAILED, FAILED, ENDED, "main", id="ours-before-what-was-added"),
        pytest.param(WAITS, WAITS, FAILED, "load", id="an-init-container"),
        pytest.param(ENDED, FAILED, ENDED, "mesh", id="only-what-was-added"),
        pytest.param(RUNS, RUNS, ENDED, "main", id="none-failed"),
        pytest.param(WAITS, WAITS, RUNS, "load", id="only-an-init-container-began"),
        pytest.param(WAITS, WAITS, WAITS, "mesh", id="none-began"),
    ],
)
def test_the_log_of_a_failure_is_that_of_the_container_that_failed(
    main: Any, mesh: Any, load: Any, expected: str
) -> None:
    own = {"name": "main", "env": [{"name": names.RUN_VARIABLE}]}
    pod: Any = {
        "metadata": {},
        "spec": {"containers": [{"name": "mesh"}, own], "initContainers": [{"name": "load"}]},
        "status": {
            "phase": "Failed" if FAILED in (main, mesh, load) else "Running",
            "containerStatuses": [state("mesh", **mesh), state("main", **main)],
            "initContainerStatuses": [state("load", **load)],
        },
    }
    assert choose_failed(pod) == expected


def log(text: str | bytes, lines: int = 1000) -> PodLog:
    data = text if isinstance(text, bytes) else text.encode()
    return PodLog("main", ("main",), data, lines, 1000)


KEY = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *["MIIEpAIBAAKCAQEA7" * 3] * 20])
KEY_END = "\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        pytest.param(log("one\ntwo\n"), LogTail("one\ntwo\n", is_cut=False), id="all-of-a-short-one"),
        pytest.param(log(""), LogTail("", is_cut=False), id="empty"),
        pytest.param(log("x" * 40), LogTail("x" * 32, is_cut=True), id="the-end"),
        pytest.param(log("x" + "م" * 16), LogTail("م" * 16, is_cut=True), id="bytes-of-UTF-8"),
        pytest.param(log("م" * 16 + "x"), LogTail("م" * 15 + "x", is_cut=True), id="no-half-character"),
        pytest.param(log(b"\xff\x00\x1b[31mred"), LogTail("\ufffdred", is_cut=False), id="no-UTF-8"),
        pytest.param(
            log("password=" + "hunter2" * 4 + " end"),
            LogTail("password=[redacted] end", is_cut=False),
            id="a-secret",
        ),
        pytest.param(
            log("--token=" + "s3cret" * 20 + " and what comes after it"),
            LogTail("edacted] and what comes after it", is_cut=True),
            id="a-secret-at-the-cut",
        ),
        pytest.param(
            log("pass\x1b[1mword=hunter2 end"),
            LogTail("password=[redacted] end", is_cut=False),
            id="coloured",
        ),
        pytest.param(log(KEY + KEY_END + "end"), LogTail("[redacted]\nend", is_cut=False), id="a-key"),
        pytest.param(log(KEY + "x" * 99), LogTail("[redacted]", is_cut=False), id="a-key-without-its-end"),
        pytest.param(
            log("rest of\na key" + KEY_END + "end", lines=3),
            LogTail("end", is_cut=True),
            id="a-key-whose-beginning-was-not-read",
        ),
        pytest.param(log("hunter2 rest\nnext\n", lines=3), LogTail("next\n", is_cut=True), id="half-a-line"),
        pytest.param(log("hunter2", lines=3), LogTail("", is_cut=True), id="nothing-but-half-a-line"),
    ],
)
def test_what_is_kept_of_a_log(read: PodLog, kept: LogTail) -> None:
    assert build_tail(read, 32) == kept


def test_a_log_of_as_many_lines_as_were_read_may_begin_with_half_a_line() -> None:
    assert build_tail(log("hunter2\n" + "x\n" * 990), 16_384) == LogTail("x\n" * 990, is_cut=True)
    assert build_tail(log("hunter2\n" + "x\n" * 900), 16_384).text.startswith("hunter2\n")


def test_the_end_of_one_long_line_is_kept_without_what_may_be_half_a_secret() -> None:
    pieces = "s3cret" + "x" * (3 * RECORD_BYTES - 10) + "end\n"
    assert build_tail(log(pieces, lines=3), 16_384) == LogTail(pieces[-16_384:], is_cut=True)
    short = "s3cret" + "x" * RECORD_BYTES
    assert build_tail(log(short, lines=3), 16_384) == LogTail("xxxxxx", is_cut=True)


def test_a_token_that_was_read_in_part_is_left_out() -> None:
    whole = "x" * READ_BYTES + " ghp_16C7e42F292c69"
    found = build_tail(log(whole[-READ_BYTES:], lines=1), 16_384)
    assert ("ghp_" in found.text, found.is_cut, len(found.text)) == (False, True, 16_384)


POD = KnownPod("team", "pod", "uid", "job-uid", 2)


def show(text: str, *, is_cut: bool, **query: Any) -> ExecutionLog:
    tail: Any = {"container": "main", "log_text": text, "is_cut": is_cut}
    return show_tail(UUID(int=1), POD, tail, LogQuery(**query))


@pytest.mark.parametrize(
    ("text", "lines", "shown"),
    [
        pytest.param("a\nb\nc\n", 2, ("b\nc\n", False), id="the-last-lines"),
        pytest.param("a\nb\nc", 3, ("a\nb\nc", True), id="the-first-is-half-a-line"),
        pytest.param("a\nb\nc", 9, ("a\nb\nc", True), id="there-was-more"),
        pytest.param("a\u2028b\n\nc", 2, ("\nc", False), id="only-line-feeds-end-lines"),
        pytest.param("", 2, ("", True), id="nothing"),
    ],
)
def test_lines_are_those_of_what_is_kept(text: str, lines: int, shown: tuple[str, bool]) -> None:
    found = show(text, is_cut=True, lines=lines)
    assert (found.text, found.is_cut) == shown
    assert (found.is_stored, found.attempt, found.containers) == (True, 2, ["main"])
    assert show(text, is_cut=False, lines=lines).is_cut is False


def test_of_another_container_nothing_is_kept() -> None:
    assert show("a", is_cut=False, container="main").text == "a"
    with pytest.raises(HTTPProblem, match="only the log of container main is kept") as refused:
        show("a", is_cut=False, container="mesh")
    assert refused.value.status == 404
