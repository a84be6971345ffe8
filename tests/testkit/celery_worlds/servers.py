"""Real brokers for tests: a Redis and a RabbitMQ of Debian on the loopback, gone with the tests' process.

Each has many worlds, apart from each other: databases of Redis, virtual hosts of RabbitMQ.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sundial_devcluster.addresses import LOOPBACK, free_ports
from sundial_devcluster.polling import until

REDIS = "/usr/bin/redis-server"
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Below Debian's wrapper, which would change to another user and to the system's folders."""
EPMD = "/usr/bin/epmd"
WORLDS = 60
NODE = "sundial-tests@localhost"
ONE_QUIET_CPU = "+S 1 +sbwt none"


def spawn_tied(command: list[str], **options: object) -> subprocess.Popen[bytes]:
    """Start a program without input that dies with the thread that starts it."""
    tied = ["setpriv", "--pdeathsig", "KILL", *command]
    return subprocess.Popen(tied, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]


def require(program: str, package: str) -> str:
    """Return the path of a program; raises AssertionError when it is not installed."""
    assert Path(program).exists(), f"There is no {program}: `apt-get install {package}`."
    return program


class Redis:
    """A Redis server; stopped it keeps its data, so that it can come back."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {"port": self.port, "bind": LOOPBACK, "databases": WORLDS, "dir": self._folder, "save": ""}
        arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        with (self._folder / "log").open("ab") as log:
            self._process = spawn_tied([require(REDIS, "redis-server"), *arguments], stdout=log, stderr=log)
        until(lambda: is_listening(self.port))

    def make_world(self) -> str:
        """Give the URL of a database that no other test has."""
        return f"redis://{LOOPBACK}:{self.port}/{next(self._databases)}"

    def ask(self, url: str, *command: str) -> str:
        """Ask a database a command, and return the answer."""
        asked = ["redis-cli", "-h", LOOPBACK, "-p", str(self.port), "-n", url.rpartition("/")[2], *command]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    def read_state(self, url: str, task_id: str) -> str:
        """Read the state that the result backend has of a task; empty without one."""
        meta = self.ask(url, "GET", f"celery-task-meta-{task_id}")
        return str(json.loads(meta)["status"]) if meta else ""

    def cut_connections(self, url: str) -> None:
        """Cut all connections: whoever has one finds out when it is used next."""
        self.ask(url, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.ask(url, "CLIENT", "KILL", "TYPE", "pubsub")

    def stop(self) -> None:
        """Stop the server; its data stays in its folder."""
        self.ask("/0", "SAVE")
        self.send_signal(signal.SIGTERM)
        self.wait()

    def send_signal(self, number: int) -> None:
        """Send a signal to the server: SIGSTOP makes it silent."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait for the end of the process."""
        assert self._process is not None
        self._process.wait(60)


class RabbitMQ:
    """A RabbitMQ node of its own, with an epmd of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._distribution, self._epmd = free_ports(3, ())
        self._hosts = iter(range(WORLDS))

    @contextmanager
    def run(self) -> Iterator[RabbitMQ]:
        """Run the node until the block ends."""
        (self._folder / "plugins").write_text("[].\n")
        (self._folder / "definitions.json").write_text(json.dumps(build_definitions()))
        (self._folder / "rabbitmq.conf").write_text(f"load_definitions = {self._folder}/definitions.json\n")
        with (self._folder / "log").open("ab") as log:
            options = {"env": self._build_environment(), "cwd": self._folder, "stdout": log, "stderr": log}
            with _running(spawn_tied([EPMD], **options)):
                until(lambda: is_listening(self._epmd))
                with _running(spawn_tied([require(RABBITMQ, "rabbitmq-server")], **options)):
                    try:
                        until(self._is_ready)
                    except TimeoutError:
                        raise AssertionError((self._folder / "log").read_text()[-4000:]) from None
                    yield self

    def make_world(self) -> str:
        """Give the URL of a virtual host that no other test has."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}/world{next(self._hosts)}"

    def _is_ready(self) -> bool:
        """Tell whether the definitions are loaded: the port opens before that."""
        return b"Server startup complete" in (self._folder / "log").read_bytes()

    def _build_environment(self) -> dict[str, str]:
        """Keep everything in our folder and on the loopback; read nothing of the system's installation."""
        folder = str(self._folder)
        return {
            "PATH": os.defpath,
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/generated",
            "RABBITMQ_ALLOW_INPUT": "yes",  # without a shell around it that would outlive a SIGKILL
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-noinput -start_epmd false -kernel inet_dist_use_interface {{127,0,0,1}} {ONE_QUIET_CPU}"
            ),
        }


def build_definitions() -> dict[str, object]:
    """Build what the node begins with: the user, and a virtual host for each world."""
    hosts = [f"world{i}" for i in range(WORLDS)]
    rights = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
    user = {"name": "guest", "password": "guest", "tags": ""}
    return {
        "users": [user],
        "vhosts": [{"name": host} for host in hosts],
        "permissions": [{"vhost": host, **rights} for host in hosts],
    }


@contextmanager
def share_folder(name: str) -> Iterator[Path]:
    """Give a short folder of its own for a server, which is gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix=f"sundial-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def run_redis() -> Iterator[Redis]:
    """Run a Redis until the block ends."""
    with share_folder("redis") as folder:
        server = Redis(folder, free_ports(1, ())[0])
        server.start()
        try:
            yield server
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()


@contextmanager
def run_rabbitmq() -> Iterator[RabbitMQ]:
    """Run a RabbitMQ until the block ends."""
    with share_folder("rabbitmq") as folder, RabbitMQ(folder).run() as server:
        yield server


@contextmanager
def _running(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait(60)


def is_listening(port: int) -> bool:
    """Tell whether somebody takes connections at a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def listen_in_silence() -> Iterator[int]:
    """Give a port where connections are taken by the kernel, and nobody says a word."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])


@contextmanager
def answer_no_syn() -> Iterator[int]:
    """Give a port whose backlog is full, so that the kernel leaves SYN packets unanswered."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        try:
            yield int(address[1])
        finally:
            for one in waiting:
                one.close()
