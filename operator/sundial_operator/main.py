"""Starts the operator: kopf's life cycle and registry around our runtime."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import kopf
import structlog
from pydantic import ValidationError

from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import LoginError
from sundial_operator.handlers import register_handlers
from sundial_operator.logs import configure_logs
from sundial_operator.runtime import Runtime, StartError
from sundial_operator.settings import Settings

log = structlog.get_logger()


async def run_operator(settings: Settings) -> int:
    """Run until a signal or a failure; returns the exit status."""
    runtime = Runtime(settings)
    registry = kopf.OperatorRegistry()
    try:
        await runtime.start()
        register_handlers(registry, runtime.stores)
        log.info("started", instance=runtime.instance, installation=settings.installation)
        await kopf.operator(
            registry=registry,
            settings=build_kopf_settings(),
            clusterwide=not settings.watch_namespace,
            namespaces=[settings.watch_namespace] if settings.watch_namespace else (),
            standalone=True,
            stop_flag=runtime.failed,
        )
    except (StartError, LoginError, ApiError, ApiUnreachable) as error:
        log.error("cannot start", error=str(error))
        return 1
    except Exception as error:  # noqa: BLE001 - kopf ends like this when the API server stays away
        log.error("the watch of our own kinds ended", error=repr(error))
        return 1
    finally:
        await runtime.stop()
    log.info("stopped")
    return 1 if runtime.failed.is_set() else 0


def build_kopf_settings() -> kopf.OperatorSettings:
    """Build kopf's settings: it watches, and writes nothing."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    return settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the operator as a command."""
    fields = "\n".join(
        f"  SUNDIAL_{name.upper():25} {field.description} [{field.default}]"
        for name, field in Settings.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="sundial-operator",
        description="Run ScheduledJobs as Kubernetes Jobs. Logs in by KUBECONFIG, else as its Pod.",
        epilog=f"environment variables:\n{fields}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        problems = "; ".join(f"SUNDIAL_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        sys.exit(f"sundial-operator: {problems}")
    configure_logs(settings.log_format)
    sys.exit(asyncio.run(run_operator(settings)))
