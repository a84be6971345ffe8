"""kopf's handlers: one call each. Events only put objects into stores; state decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import kopf
from kubernetes.aio.client import Configuration

from sundial_kube.login import load_configuration
from sundial_kube.nested_json import keep_writable
from sundial_kube.resources import GROUP, SCHEDULED_JOB_RUNS, TASK_FUNCTIONS
from sundial_kube.store import Store


class FewKinds(Protocol):
    """Where watched objects go."""

    functions: Store[Any]
    run_requests: Store[Any]


def register_handlers(registry: kopf.OperatorRegistry, stores: FewKinds) -> None:
    """Register the watches of those of our kinds that are few; kopf writes nothing on the objects.

    An event costs kopf 0.45 ms and a copy of the object: ScheduledJobs come by a reflector, as Jobs do.
    """

    @kopf.on.login(registry=registry)
    async def log_in(**_: object) -> kopf.ConnectionInfo:
        return build_connection_info(await load_configuration())

    @kopf.on.event(GROUP, TASK_FUNCTIONS.version, TASK_FUNCTIONS.plural, registry=registry)
    async def task_function_seen(event: Mapping[str, Any], **_: object) -> None:
        take_event(stores.functions, event)

    @kopf.on.event(GROUP, SCHEDULED_JOB_RUNS.version, SCHEDULED_JOB_RUNS.plural, registry=registry)
    async def scheduled_job_run_seen(event: Mapping[str, Any], **_: object) -> None:
        take_event(stores.run_requests, event)


def build_connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Describe our login to kopf, so that both have the same; kopf asks again after a 401."""
    token = configuration.api_key.get("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        token=token.split(" ", 1)[-1].strip() if token else None,
    )


def take_event(store: Store[Any], event: Mapping[str, Any]) -> None:
    """Put a watch event into a store."""
    item = keep_writable(dict(event["object"]))
    if event["type"] == "DELETED":
        store.remove(item)
    else:
        store.put(item)
