"""Do the commands of README, of what Helm prints and of docs/installation.md do what they say, as pasted?

What stands in capitals is filled in, and the image is one that the node has.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from testkit.chart_sites import PASSWORD, Site, open_site

from sundial_devcluster.cluster import find_obstacle
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.polling import until
from sundial_devcluster.product_image import ensure_product_image
from sundial_devcluster.programs import locate_programs

IMAGE = "localhost/sundial:0.1.0"
README, MANUAL = Path("README.md"), Path("docs/installation.md")


class Terminal:
    """A shell in the checkout whose kubectl and helm are the pinned ones, and lead to the cluster."""

    def __init__(self, site: Site, folder: Path) -> None:
        for name, program in (("kubectl", kubectl_program()), ("helm", locate_programs(["helm"])["helm"])):
            (folder / name).symlink_to(program)
        self.environment = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "KUBECONFIG": str(site.cluster.kubeconfig),
            **{f"HELM_{kind}_HOME": str(folder) for kind in ("CACHE", "CONFIG", "DATA")},
        }

    def paste(self, text: str) -> str:
        """Run commands, and return what they print; each has to succeed."""
        done = subprocess.run(
            ["bash", "-eu"], input=text, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def run_beside(self, command: str) -> Iterator[None]:
        """Have a command run meanwhile."""
        running = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], env=self.environment, stdout=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait(20)


def read_commands(page: Path, heading: str) -> str:
    """Read what is to be pasted from a section of a page."""
    section = page.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ")]
    assert lines, f"{page} has no commands under {heading}"
    return textwrap.dedent("\n".join(lines)) + "\n"


def find_lines(text: str, first: str, last: str = "") -> str:
    """Find the lines from one that begins so to the next that begins otherwise; the first alone without."""
    found = re.search(
        rf"^{re.escape(first)}.*?$" + (rf".*?^{re.escape(last)}$" if last else ""), text, re.M | re.S
    )
    assert found is not None, f"nothing begins with {first} in:\n{text}"
    return found[0] + "\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a cluster with the image, and a Postgres with an empty database."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    with open_site(image=ensure_product_image(name=IMAGE)) as found:
        found.make_database("sundial")
        yield found


def test_what_is_said_works_as_pasted(site: Site, tmp_path: Path) -> None:
    terminal = Terminal(site, tmp_path)
    url = f"postgresql://sundial:{quote(PASSWORD, safe='')}@{site.address}:5432/sundial"
    install = read_commands(README, "Install")
    install = install.replace("postgresql://USER:PASSWORD@HOST:5432/DATABASE", f"'{url}'")
    printed = terminal.paste(install.replace("REGISTRY/", "localhost/"))

    schedule = find_lines(printed, "kubectl apply", "YAML")
    terminal.paste(schedule.replace("busybox:1.36", "localhost/box:1"))
    look = find_lines(printed, "kubectl get sj").replace(" -w", "")
    until(lambda: "Succeeded" in terminal.paste(look), 60)
    assert "Succeeded" in terminal.paste(find_lines(printed, "helm test"))
    with terminal.run_beside(find_lines(printed, "kubectl port-forward").strip()):
        account = "".join(
            find_lines(printed, f"kubectl create {kind}") for kind in ("serviceaccount", "rolebinding")
        )
        terminal.paste(account)
        ask = find_lines(printed, "TOKEN=") + find_lines(printed, "curl").replace(
            "curl", "curl -sS --retry 9 --retry-all-errors"
        )
        until(
            lambda: "success" in {one["status"] for one in json.loads(terminal.paste(ask))["executions"]}, 60
        )

    terminal.paste(read_commands(MANUAL, "Upgrade"))
    terminal.paste(read_commands(MANUAL, "Rollback"))
    assert "deployed" in terminal.paste("helm status sundial -n sundial-system")
    terminal.paste(read_commands(MANUAL, "Removal"))
    assert "sundial" not in terminal.paste("kubectl get crd -o name; helm list -A")
