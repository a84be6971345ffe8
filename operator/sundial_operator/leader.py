"""What begins with the election: deciding, writing, and what one replica looks after for all."""

from __future__ import annotations

import asyncio

from sundial_core.runs.runner_pods import read_archive
from sundial_kube.client import KubeClient
from sundial_operator.inputs.relists import Relists
from sundial_operator.leading.fence_probe import FenceProbe
from sundial_operator.leading.replica_sweep import ReplicaSweep
from sundial_operator.outputs.function_statuses import FunctionReports
from sundial_operator.outputs.runner_delivery import RunnerDelivery
from sundial_operator.outputs.write_queue import WriteQueue
from sundial_operator.reconcile.reconciler import Reconciler
from sundial_operator.settings import OperatorSettings


class Leader:
    """The parts of an operator that only a leader runs; made before the election, and idle until then."""

    def __init__(
        self,
        client: KubeClient,
        settings: OperatorSettings,
        writer: WriteQueue,
        reconciler: Reconciler,
        fence: FenceProbe,
        relists: Relists,
    ) -> None:
        stores = reconciler.observed
        self._reconciler = reconciler
        self._fence = fence
        self._relists = relists
        self._runners = RunnerDelivery(client, writer, stores, settings, read_archive())
        self._reports = FunctionReports(
            client, writer, stores.functions, stores.function_index, self._runners
        )
        self._sweep = ReplicaSweep(client, settings.namespace, settings.installation, settings.member_seconds)

    async def lead(self) -> None:
        """Run every part for ever; raises an ExceptionGroup when one has failed."""
        reconciler = self._reconciler
        async with asyncio.TaskGroup() as parts:
            parts.create_task(reconciler.delay_queue.run())
            parts.create_task(reconciler.cap.run())
            parts.create_task(reconciler.mirror.run())
            parts.create_task(self._relists.run())
            parts.create_task(self._fence.run())
            parts.create_task(self._runners.run())
            parts.create_task(self._reports.run())
            parts.create_task(self._sweep.run())
            parts.create_task(reconciler.run())
