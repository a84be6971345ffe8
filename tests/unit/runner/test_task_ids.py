"""Are the ids of tasks those that the rest of Sundial tells of a run?"""

from uuid import UUID

import pytest

from sundial_core.resources.names import build_celery_task_id
from sundial_runner.celery_tasks.ids import MOST_IDS, build_task_ids

RUN = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize("attempt", [1, 2, 3, 14])
def test_the_ids_are_those_that_the_history_has(attempt: int) -> None:
    assert build_task_ids(RUN, attempt) == [build_celery_task_id(RUN, k) for k in range(attempt, 0, -1)]


def test_an_id_is_the_one_that_was_told_before() -> None:
    assert build_task_ids(RUN, 2) == ["4b166dbe-d99d-5091-abdd-95b83330ed3a", RUN]
    assert all(UUID(one) for one in build_task_ids(RUN, 3))


def test_no_attempt_makes_a_list_without_end() -> None:
    ids = build_task_ids(RUN, 1_000_000_000)
    assert (len(ids), ids[0]) == (MOST_IDS, build_celery_task_id(RUN, 1_000_000_000))
