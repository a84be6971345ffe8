"""Do the certificates stand up to strict verification, and do the authorities keep apart?"""

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sundial_devcluster.addresses import Addresses, Ports
from sundial_devcluster.identities import CLIENTS, build_kubeconfig, write_identities

ADDRESSES = Addresses("127.0.0.1", Ports(1, 2, 3, 4, 5), "10.96.0.0/16")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    write_identities(folder, ADDRESSES, datetime.now(UTC))
    return folder / "pki"


def shake_hands(pki: Path, server: str, client: str, trusted: tuple[str, str]) -> str:
    """Return the client name that the server saw after a handshake both sides verify strictly."""
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / f"{trusted[0]}.crt"))
    calling = ssl.create_default_context(cafile=str(pki / f"{trusted[1]}.crt"))
    for context, name in ((listening, server), (calling, client)):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    listening.verify_mode = ssl.CERT_REQUIRED
    return converse(listening, calling)


def converse(listening: ssl.SSLContext, calling: ssl.SSLContext) -> str:
    near, far = socket.socketpair()
    seen: dict[str, str] = {}

    def serve() -> None:
        try:
            with listening.wrap_socket(far, server_side=True) as answered:
                subject = (answered.getpeercert() or {})["subject"]
                seen.update(part[0] for part in subject)
                answered.sendall(b"done")
        except ssl.SSLError as error:
            seen["error"] = str(error)
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with calling.wrap_socket(near, server_hostname="127.0.0.1") as called:
            called.recv(4)
    finally:
        near.close()
        thread.join()
    return seen.get("commonName") or seen["error"]


@pytest.mark.parametrize("client", [client.file for client in CLIENTS])
def test_api_server_and_client_accept_each_other_strictly(pki: Path, client: str) -> None:
    wanted = next(one.common_name for one in CLIENTS if one.file == client)
    assert shake_hands(pki, "apiserver", client, ("ca", "ca")) == wanted


def test_etcd_accepts_the_api_server(pki: Path) -> None:
    assert shake_hands(pki, "etcd", "etcd-client", ("etcd-ca", "etcd-ca")) == "kube-apiserver"


def test_etcd_refuses_an_administrator_of_the_cluster(pki: Path) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake_hands(pki, "etcd", "admin", ("etcd-ca", "etcd-ca"))


def test_client_certificate_cannot_serve(pki: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        shake_hands(pki, "admin", "kubelet", ("ca", "ca"))


@pytest.mark.parametrize("file", ["ca", "etcd-ca", "front-ca", "apiserver", "admin", "etcd"])
def test_certificate_is_complete(pki: Path, file: str) -> None:
    certificate = x509.load_pem_x509_certificate((pki / f"{file}.crt").read_bytes())
    for kind in (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier, x509.KeyUsage):
        assert certificate.extensions.get_extension_for_class(kind)
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now - timedelta(minutes=4)
    assert certificate.not_valid_after_utc > now + timedelta(days=300)


def test_keys_are_private_and_those_of_the_authorities_are_not_kept(pki: Path) -> None:
    keys = {key.name: key.stat().st_mode & 0o777 for key in pki.glob("*.key")}
    assert set(keys.values()) == {0o600}
    assert not {"ca.key", "etcd-ca.key", "front-ca.key"} & set(keys)


def test_kubeconfig_names_files_only(pki: Path) -> None:
    text = json.dumps(build_kubeconfig(pki, "admin", ADDRESSES.server))
    assert str(pki / "admin.key") in text
    assert "data" not in text
    assert "https://127.0.0.1:3" in text
