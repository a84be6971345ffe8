"""An API process whose API server, database and OpenID provider are each at the end of a wire."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
from chaos.proxies import Proxies, Proxy
from testkit.databases import copy_database
from testkit.degraded.providers import AUDIENCE, TestProvider, run_provider
from testkit.degraded.small_disks import CAN_MOUNT, copy_to_small_disk
from testkit.processes.apis import PREFIX, WRITER, ApiProcess, make_function, make_user, run_api
from testkit.wires import FaultyWire, lay_database_wire, lay_wire

from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

JSON = dict[str, Any]
TIMEOUT_SECONDS = 120
"""Much longer than the product's: what it answers is to be seen, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the API answered to a request, and how long that took."""

    status: int
    detail: str
    seconds: float
    said: JSON


@dataclass(slots=True)
class Site:
    """The API in one mode of authentication, the ways to all that it needs, and its callers."""

    mode: str
    cluster: Cluster
    ns: str
    api: ApiProcess
    cluster_wire: FaultyWire
    proxy: Proxy
    database_wire: FaultyWire
    database: str
    provider: TestProvider
    provider_wire: FaultyWire
    start_other: Callable[[Path], AbstractContextManager[ApiProcess]]
    folder: Path
    token: str = ""
    function_id: int = 0
    made: list[JSON] = field(default_factory=list)

    def make_token(self, user: str) -> str:
        """Make a token of a user whom the API has never seen; the cluster lets it do everything of ours."""
        if self.mode == "none":
            return ""
        if self.mode == "oidc":
            return self.provider.sign(user)
        return make_user(self.cluster, self.ns, user, WRITER, "ClusterRole")

    def ask(self, method: str, path: str, body: JSON | None = None, token: str | None = None) -> Told:
        """Send a request, on a connection of its own; of a stream of events only the head is read."""
        own = self.token if token is None else token
        headers = {"Authorization": f"Bearer {own}"} if own else {}
        began = time.monotonic()
        with (
            httpx.Client(base_url=self.api.url, timeout=TIMEOUT_SECONDS) as client,
            client.stream(method, path, json=body, headers=headers) as answer,
        ):
            kind = answer.headers.get("content-type", "")
            content = b"" if kind.startswith("text/event-stream") else answer.read()
        seconds = time.monotonic() - began
        said = json.loads(content) if content and kind.startswith("application/json") else {}
        if answer.status_code == 201:
            self.made.append(said)
        return Told(answer.status_code, json.dumps(said.get("detail", said)), seconds, said)

    def ask_all(self, requests: Mapping[str, tuple[str, str, JSON | None]], token: str) -> dict[str, Told]:
        """Send requests at the same time."""
        with ThreadPoolExecutor(len(requests)) as pool:
            sent = {name: pool.submit(self.ask, *request, token) for name, request in requests.items()}
            return {name: told.result() for name, told in sent.items()}

    @contextmanager
    def start_another(self) -> Iterator[Site]:
        """Start the API once more beside this one, on a database of its own."""
        with self.start_other(self.folder / f"{secrets.token_hex(4)}.log") as api:
            yield replace(self, api=api)

    @contextmanager
    def measure_lag(self) -> Iterator[Callable[[], float]]:
        """Measure meanwhile how long the process and we need for an answer that waits for nothing."""
        is_over, worst = Event(), [0.0]

        def watch() -> None:
            while not is_over.wait(0.1):
                worst[0] = max(worst[0], self.ask("GET", "/livez").seconds)

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            try:
                yield lambda: worst[0]
            finally:
                is_over.set()
                watching.result()


@contextmanager
def build_site(
    mode: str, cluster: Cluster, postgres: Postgres, template: str, folder: Path
) -> Iterator[Site]:
    """Build a site with a TaskFunction and a caller that the API knows."""
    ns = f"degraded-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", ns)
    with ExitStack() as exits:
        exits.callback(take_rights_back, cluster, ns)
        copy = copy_to_small_disk if CAN_MOUNT else copy_database
        database = exits.enter_context(copy(postgres, template))
        database_wire, through = exits.enter_context(lay_database_wire(database))
        authority = cluster.folder / "pki" / "ca.crt"
        proxies = exits.enter_context(Proxies(cluster.server, authority, folder, [1]))
        port = int(proxies.all[0].url.rsplit(":", 1)[1])
        cluster_wire = exits.enter_context(lay_wire((LOOPBACK, port)))
        provider = exits.enter_context(run_provider())
        provider_wire = exits.enter_context(lay_wire((LOOPBACK, provider.server.server_port)))
        provider.url = f"http://{LOOPBACK}:{provider_wire.port}"
        kubeconfig = write_kubeconfig(cluster, ns, cluster_wire.port, proxies.authority, folder)
        settings = {"auth": mode} | (build_oidc_settings(provider) if mode == "oidc" else {})
        log = folder / "api.log"

        @contextmanager
        def start_other(to: Path) -> Iterator[ApiProcess]:
            with (
                copy_database(postgres, template) as own,
                run_api(cluster, own, to, kubeconfig, **settings) as other,
            ):
                yield other

        api = exits.enter_context(run_api(cluster, through, log, kubeconfig, **settings))
        site = Site(
            mode,
            cluster,
            ns,
            api,
            cluster_wire,
            proxies.all[0],
            database_wire,
            database,
            provider,
            provider_wire,
            start_other,
            folder,
        )
        permit_everybody(cluster, ns)
        site.token = site.make_token("known")
        site.function_id = make_function(api, cluster, ns, site.token)["id"]
        yield site
        assert "Traceback" not in log.read_text(), log.read_text()
    cluster.kubectl("delete", "namespace", ns, "--wait=false")


def take_rights_back(cluster: Cluster, ns: str) -> None:
    """Delete what holds in the whole cluster: a right of everybody's would be in later tests' way."""
    bindings = (f"clusterrolebinding/{ns}", f"clusterrolebinding/{ns}-all", f"clusterrole/{ns}-all")
    cluster.kubectl("delete", "--ignore-not-found", *bindings)


def build_oidc_settings(provider: TestProvider) -> dict[str, str]:
    """Build what an API is told of a provider."""
    return {"oidc_issuer": provider.url, "oidc_audience": AUDIENCE}


def write_kubeconfig(cluster: Cluster, ns: str, port: int, authority: Path, folder: Path) -> Path:
    """Write the kubeconfig of an account that may do everything, through a wire."""
    account = f"--serviceaccount={ns}:default"
    cluster.kubectl("create", "clusterrolebinding", ns, "--clusterrole=cluster-admin", account)
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    token = cluster.kubectl("create", "token", "default", "-n", ns).strip()
    config["users"][0]["user"] = {"token": token}
    server = f"https://{LOOPBACK}:{port}"
    config["clusters"][0]["cluster"] = {"server": server, "certificate-authority": str(authority)}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def permit_everybody(cluster: Cluster, ns: str) -> None:
    """Let every user whom the provider names do everything of ours."""
    cluster.kubectl("create", "clusterrole", f"{ns}-all", "--verb=*", "--resource=*.sundial.dev")
    who = ("--group=system:authenticated", f"--clusterrole={ns}-all")
    cluster.kubectl("create", "clusterrolebinding", f"{ns}-all", *who)


def until_well(site: Site) -> None:
    """Wait until the API lists and creates again, and takes who is new."""
    place, newcomer = f"{PREFIX}/jobs", site.make_token(f"newcomer-{secrets.token_hex(4)}")

    def is_well() -> bool:
        told = [site.ask("GET", place), site.ask("GET", place, token=newcomer)]
        told.append(site.ask("POST", place, build_job(site)))
        return [one.status for one in told] == [200, 200, 201]

    until(is_well)


def build_job(site: Site) -> JSON:
    """Build a job that never runs by itself, too large to be stored where no page is free."""
    noise = {str(number): secrets.token_hex(500) for number in range(40)}
    fields = {"name": "Degraded", "taskFunctionId": site.function_id, "jobTypeId": 1, "maxInstances": 10}
    return fields | {"scheduleConfig": {"days": 300}, "taskArgs": noise}
