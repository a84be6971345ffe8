import sys
from collections.abc import Iterator

import pytest
from testkit.runner_processes import USER_APP


@pytest.fixture
def user_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the user's modules importable, as they are where a run starts."""
    monkeypatch.syspath_prepend(USER_APP)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(USER_APP) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
