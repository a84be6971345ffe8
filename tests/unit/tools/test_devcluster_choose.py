"""Which cluster does a demo take on which machine?"""

import pytest

from sundial_devcluster.choose import Kind, Surroundings, choose_kind
from sundial_devcluster.errors import ClusterError

NO_ROOT = "a real node needs root"


def around(
    *tools: Kind, obstacle: str | None = NO_ROOT, system: str = "linux", context: str | None = None
) -> Surroundings:
    return Surroundings(system == "linux", obstacle, frozenset(tools), context)


@pytest.mark.parametrize(
    ("surroundings", "kind", "why"),
    [
        pytest.param(around(Kind.KIND, obstacle=None, context="prod"), Kind.LOCAL, "real node", id="root"),
        pytest.param(around(Kind.KIND, Kind.K3D), Kind.KIND, NO_ROOT, id="no root, kind and k3d"),
        pytest.param(around(Kind.K3D), Kind.K3D, NO_ROOT, id="no root, k3d"),
        pytest.param(around(context="prod"), Kind.LOCAL, NO_ROOT, id="no root, no Docker: simulated"),
        pytest.param(around(Kind.KIND, system="darwin", context="prod"), Kind.KIND, "Docker", id="Mac, kind"),
        pytest.param(around(system="darwin", context="prod"), Kind.CURRENT, "not Linux", id="Mac, context"),
    ],
)
def test_auto_takes_the_first_that_works(surroundings: Surroundings, kind: Kind, why: str) -> None:
    choice = choose_kind(Kind.AUTO, surroundings)
    assert choice.kind is kind
    assert why in choice.reason


def test_auto_says_when_nothing_works() -> None:
    with pytest.raises(ClusterError, match="No cluster can be had"):
        choose_kind(Kind.AUTO, around(system="darwin"))


@pytest.mark.parametrize(
    ("asked", "surroundings", "message"),
    [
        (Kind.KIND, around(Kind.K3D), "needs kind and a running Docker"),
        (Kind.K3D, around(), "needs k3d and a running Docker"),
        (Kind.CURRENT, around(), "no current context"),
        (Kind.LOCAL, around(system="darwin"), "needs Linux"),
    ],
)
def test_what_is_asked_for_but_impossible_is_refused(
    asked: Kind, surroundings: Surroundings, message: str
) -> None:
    with pytest.raises(ClusterError, match=message):
        choose_kind(asked, surroundings)


@pytest.mark.parametrize("asked", [Kind.CURRENT, Kind.KIND, Kind.K3D, Kind.LOCAL])
def test_what_is_asked_for_and_possible_is_taken(asked: Kind) -> None:
    everything = around(Kind.KIND, Kind.K3D, obstacle=None, context="prod")
    assert choose_kind(asked, everything).kind is asked
