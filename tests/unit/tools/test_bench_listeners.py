"""What does the bench of listeners compare?"""

from __future__ import annotations

from bench.listeners import summarise


def test_lists_are_compared_together_and_each() -> None:
    quiet = {"jobs": [0.010] * 20, "executions": [0.020] * 20}
    busy = {"jobs": [0.030] * 20, "executions": [0.022] * 20}
    assert summarise(quiet, busy) == {
        "p95_ms_without": 20.0,
        "p95_ms": 30.0,
        "p95_ratio": 1.5,
        "p95_ratio_of_the_worst_list": 3.0,
    }
