"""What operator and API need, and what it does when it may no longer write statuses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from testkit.role_rules import list_granted, list_wanted

from sundial_api.clients.rights import QUESTIONS
from sundial_api.permissions import list_needed as list_api_needs
from sundial_api.settings import AuthMode
from sundial_kube.errors import ApiError
from sundial_kube.permissions import Permission
from sundial_kube.resources import ACCESS_REVIEWS, PODS, TOKEN_REVIEWS
from sundial_operator.leading.patch_refusals import PatchRefusals
from sundial_operator.permissions import list_needed, list_optional, list_unasked

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "devcluster" / "sundial_demo" / "installation.yaml"
INSTALLATION = ROOT / "examples" / "installation"

DENIED = ApiError(
    403,
    "Forbidden",
    'scheduledjobs.sundial.dev "a" is forbidden: User "u" cannot patch resource "scheduledjobs/status" in API'
    ' group "sundial.dev" in the namespace "team"',
)
ADMISSION = ApiError(403, "Forbidden", 'scheduledjobs "a" is forbidden: ValidatingAdmissionPolicy "p" denied')
CONFLICT = ApiError(409, "Conflict", "the object has been modified")


async def test_a_leader_that_stays_refused_ends() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    PatchRefusals(0.01, ended.set_result).observe(DENIED)
    async with asyncio.timeout(10):
        assert "cannot patch resource" in await ended


@pytest.mark.parametrize(
    ("answers", "is_counting"),
    [
        pytest.param([DENIED], True, id="denied"),
        pytest.param([DENIED, DENIED], True, id="denied again"),
        pytest.param([DENIED, None], False, id="permitted again"),
        pytest.param([DENIED, None, DENIED], True, id="denied anew"),
        pytest.param([None], False, id="permitted"),
        pytest.param([ADMISSION], False, id="one object refused by admission"),
        pytest.param([CONFLICT], False, id="conflict"),
        pytest.param([DENIED, CONFLICT], True, id="a conflict is no permission"),
    ],
)
async def test_only_missing_permission_counts(answers: list[ApiError | None], is_counting: bool) -> None:  # noqa: FBT001
    refusals = PatchRefusals(3600, pytest.fail)
    for answer in answers:
        refusals.observe(answer)
    assert refusals.is_counting == is_counting
    refusals.observe(None)


def read_items(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize(
    ("path", "account", "needed"),
    [
        pytest.param(path, account, needed, id=f"{account}, {path.name}")
        for path, mode, unasked in (
            (DEMO, AuthMode.NONE, ()),  # nothing of the demo outlives its namespace
            (INSTALLATION / "roles.yaml", AuthMode.KUBERNETES, list_unasked((), "sundial-operator")),
        )
        for account, needed in (
            ("sundial", [*list_needed("sundial-system", "sundial", ()), *list_optional(()), *unasked]),
            ("sundial-api", list(list_api_needs("sundial-system", "sundial", (), mode))),
        )
    ],
)
def test_roles_that_are_handed_out_grant_what_is_needed_and_no_more(
    path: Path, account: str, needed: list[Permission]
) -> None:
    assert list_granted(read_items(path), account) == list_wanted(needed)


def test_the_role_of_a_caller_grants_what_the_api_asks_about() -> None:
    asked = [Permission(verb, kind, "default") for kind, verbs in QUESTIONS.items() for verb in verbs]
    wanted = list_wanted([*asked, Permission("get", PODS, "default", "log")])
    assert list_granted(read_items(INSTALLATION / "frontend.yaml"), "frontend") == wanted


def test_who_identifies_callers_may_ask_about_them() -> None:
    by_mode = {mode: {one.resource for one in list_api_needs("a", "sundial", (), mode)} for mode in AuthMode}
    assert by_mode[AuthMode.OIDC] - by_mode[AuthMode.NONE] == {ACCESS_REVIEWS}
    assert by_mode[AuthMode.KUBERNETES] - by_mode[AuthMode.NONE] == {ACCESS_REVIEWS, TOKEN_REVIEWS}
