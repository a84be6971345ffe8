"""What operator and API need, and what it does when it may no longer write statuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest
import yaml

from sundial_api.permissions import list_needed as list_api_needs
from sundial_api.settings import AuthMode
from sundial_kube.errors import ApiError
from sundial_kube.permissions import Permission
from sundial_kube.resources import ACCESS_REVIEWS, TOKEN_REVIEWS
from sundial_operator.leading.patch_refusals import PatchRefusals
from sundial_operator.permissions import list_needed

ROOT = Path(__file__).parents[3]

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


def list_granted(account: str) -> set[tuple[str, str, str]]:
    """List what the demo's roles grant an account, as (group, resource, verb)."""
    path = ROOT / "devcluster" / "sundial_demo" / "installation.yaml"
    items = list(yaml.safe_load_all(path.read_text()))
    roles = [one["roleRef"]["name"] for one in items if account in map(_name, one.get("subjects", ()))]
    return {
        grant
        for role in items
        for rule in role.get("rules", ())
        for grant in product(rule["apiGroups"], rule["resources"], rule["verbs"])
        if _name(role["metadata"]) in roles
    }


def _name(one: dict[str, str]) -> str:
    return one["name"]


@pytest.mark.parametrize(
    ("account", "needed"),
    [
        pytest.param("sundial", list_needed("sundial-system", None), id="operator"),
        pytest.param("sundial-api", list_api_needs("sundial-system", None, AuthMode.NONE), id="API"),
    ],
)
def test_the_roles_of_the_demo_grant_what_is_needed_and_no_more(
    account: str, needed: Iterable[Permission]
) -> None:
    wanted = {
        (one.resource.group, "/".join(filter(None, (one.resource.plural, one.subresource))), one.verb)
        for one in needed
    }
    assert list_granted(account) == wanted


def test_who_identifies_callers_may_ask_about_them() -> None:
    by_mode = {mode: {one.resource for one in list_api_needs("a", None, mode)} for mode in AuthMode}
    assert by_mode[AuthMode.OIDC] - by_mode[AuthMode.NONE] == {ACCESS_REVIEWS}
    assert by_mode[AuthMode.KUBERNETES] - by_mode[AuthMode.NONE] == {ACCESS_REVIEWS, TOKEN_REVIEWS}
