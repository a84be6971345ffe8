"""Where the API server is and who we are there: kubeconfig or the Pod's service account."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio import client, config

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class LoginError(Exception):
    """No usable login; the text says what to set."""


async def load_configuration() -> client.Configuration:
    """Load the login: `KUBECONFIG`, else the Pod's service account, else `~/.kube/config`.

    Raises LoginError when none is usable.
    """
    configuration = client.Configuration()
    named = os.environ.get("KUBECONFIG", "")
    if named and not any(Path(part).expanduser().exists() for part in named.split(os.pathsep) if part):
        raise LoginError(f"KUBECONFIG names a file that is not there: {named}")
    try:
        if "KUBECONFIG" not in os.environ and SERVICE_ACCOUNT_TOKEN.exists():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration, persist_config=False
            )
    except (config.ConfigException, OSError) as error:
        raise LoginError(
            f"no login to a Kubernetes API server: {error}; set KUBECONFIG or run in a cluster"
        ) from error
    return configuration
