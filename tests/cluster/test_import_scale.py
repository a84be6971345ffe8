"""A large installation is imported, interrupted and killed on the way, and all of it is there.

SUNDIAL_IMPORT_JOBS and SUNDIAL_IMPORT_EXECUTIONS set how large; `make import-scale` tries 10,000 jobs and a
million executions, and prints how long it took.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from testkit.mirror_comparison import Rows
from testkit.original_installation import OriginalInstallation
from testkit.processes.imports import ImportCommand

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

JOBS = int(os.environ.get("SUNDIAL_IMPORT_JOBS", "60"))
EXECUTIONS = int(os.environ.get("SUNDIAL_IMPORT_EXECUTIONS", "30000"))
MOST_MB = 800
"""With the debug allocator of `python -X dev`; 10,000 jobs take 685, however many executions there are."""
WAIT_SECONDS = 900.0
COUNT = "SELECT count(*) FROM scheduled_job_executions"
TOTAL = "SELECT coalesce(sum(count), 0) FROM scheduler_execution_counts"
DIFFERENT = """
SELECT count(*) FROM (
    SELECT job_id, status, namespace, count(*) AS count FROM scheduled_job_executions GROUP BY 1, 2, 3
) AS counted FULL JOIN scheduler_execution_counts kept USING (job_id, status, namespace)
WHERE counted.count IS DISTINCT FROM nullif(kept.count, 0)
"""


def run_measured(command: ImportCommand, *options: str) -> dict[str, Any]:
    """Run the command to its end; returns its status, seconds and the most memory that it took."""
    began = time.monotonic()
    process = command.start("--templates", str(command.templates), *options, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = round(time.monotonic() - began, 1)
    figures = {"status": process.returncode, "seconds": seconds, "mb": usage.ru_maxrss // 1024}
    sys.stdout.write(f"{' '.join(options) or 'dry run'}: {figures}\n")
    return figures


def break_off(command: ImportCommand, rows: Rows, how: signal.Signals) -> int:
    """End an import while it writes history; returns its exit status."""
    there = rows.read(COUNT)[0]
    process = command.start(
        *("--templates", str(command.templates), "--apply"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: rows.read(COUNT)[0] > there, WAIT_SECONDS)
    process.send_signal(how)
    return process.wait(60)


def test_all_of_it_is_imported_whatever_breaks_it_off(
    importing: ImportCommand, original: OriginalInstallation, rows: Rows, cluster: Cluster, namespace: str
) -> None:
    original.fill(JOBS, EXECUTIONS)
    dry = run_measured(importing)
    assert break_off(importing, rows, signal.SIGINT) == 130
    assert break_off(importing, rows, signal.SIGKILL) == -signal.SIGKILL
    assert 0 < rows.read(COUNT)[0] < EXECUTIONS
    whole = run_measured(importing, "--apply")
    assert (rows.read(COUNT), rows.read(TOTAL), rows.read(DIFFERENT)) == ([EXECUTIONS], [EXECUTIONS], [0])
    jobs = cluster.kubectl("get", "sj", "-n", namespace, "-o", "name").split()
    newest = rows.read("SELECT max(change) FROM scheduled_job_executions")
    again = run_measured(importing, "--apply")
    assert rows.read("SELECT max(change) FROM scheduled_job_executions") == newest
    assert (len(jobs), [one["status"] for one in (dry, whole, again)]) == (JOBS, [0, 0, 0])
    assert max(one["mb"] for one in (dry, whole, again)) < MOST_MB
