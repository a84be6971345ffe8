"""What the operator needs, and what it does when it may no longer write statuses."""

from __future__ import annotations

import asyncio
from itertools import product
from pathlib import Path

import pytest
import yaml

from sundial_kube.errors import ApiError
from sundial_operator.permissions import PatchRefusals, list_needed

ROOT = Path(__file__).parents[2]

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


def list_granted(path: Path) -> set[tuple[str, str, str]]:
    """List what the roles of a file grant, as (group, resource, verb)."""
    roles = [item for item in yaml.safe_load_all(path.read_text()) if "rules" in (item or {})]
    return {
        grant
        for role in roles
        for rule in role["rules"]
        for grant in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def test_the_roles_of_the_demo_grant_what_is_needed() -> None:
    granted = list_granted(ROOT / "devcluster" / "sundial_demo" / "installation.yaml")
    needed = {
        (one.resource.group, "/".join(filter(None, (one.resource.plural, one.subresource))), one.verb)
        for one in list_needed("sundial-system", None)
    }
    assert needed - granted == set()
