"""Do the host's settings come back as they were before the first kubelet, after the last one?"""

from pathlib import Path

import pytest

from sundial_devcluster.sysctls import original_sysctls, restore_sysctls, sysctls_to_restore

BEFORE = {"vm/panic_on_oom": "7"}
CHANGED = {"vm/panic_on_oom": "0"}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "vm").mkdir()
    (tmp_path / "vm" / "panic_on_oom").write_text("7\n")
    return tmp_path


def test_first_cluster_saves_what_is_there(settings: Path) -> None:
    assert original_sysctls([{}, {}], settings) == BEFORE


def test_later_cluster_takes_over_what_the_first_has_saved(settings: Path) -> None:
    restore_sysctls(CHANGED, settings)
    assert original_sysctls([{}, BEFORE], settings) == BEFORE


def test_only_the_last_cluster_restores(settings: Path) -> None:
    restore_sysctls(CHANGED, settings)
    restore_sysctls(sysctls_to_restore(BEFORE, [{}, BEFORE]), settings)
    assert (settings / "vm" / "panic_on_oom").read_text().strip() == "0"
    restore_sysctls(sysctls_to_restore(BEFORE, [{}]), settings)
    assert (settings / "vm" / "panic_on_oom").read_text().strip() == "7"
