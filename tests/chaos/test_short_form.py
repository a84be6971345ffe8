"""The short form of the chaos suite: leaders are killed and more, and no slot may notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaos.plans import make_plan
from chaos.reports import build_tables, find_failures
from chaos.runs import Form, Progress, run_chaos
from rich.console import Console

pytestmark = pytest.mark.cluster

KILLS, OTHERS = 7, 3
SEED = int(os.environ.get("CHAOS_SEED") or 7383)
STAY_SECONDS = 3.0


def test_no_slot_notices_what_happens_to_leaders(tmp_path: Path) -> None:
    plan = tuple(make_plan(SEED, KILLS, OTHERS))
    form = Form(4, operators=3, seed=SEED, plan=plan, stay_seconds=STAY_SECONDS)
    console = Console(width=140)
    figures, setting = run_chaos(form, tmp_path, Progress(console.print, console.print))
    console.print(*build_tables(figures, setting))
    assert figures.rounds == len(plan)
    assert not find_failures(figures, setting)
