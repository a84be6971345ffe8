"""Which keys and certificates does a cluster have? Makes them; who may do what is RBAC's business.

Three authorities that trust nothing of each other: the cluster's, etcd's (so that a cluster identity cannot
read the store) and the front proxy's. Key identifiers and key usages are explicit because Python verifies
strictly since 3.13 (VERIFY_X509_STRICT, RFC 5280).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
CLOCK_SLACK = timedelta(minutes=5)


class Use(Enum):
    """What a certificate proves: a client's identity, a server's, or both."""

    CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
    BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class CertificateRequest:
    """Describe a certificate; `names` are DNS names or IP addresses."""

    file: str
    common_name: str
    use: Use
    organization: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Authority:
    """Hold a certificate authority and the instant from which what it signs is valid (aware)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    since: datetime


def create_authority(common_name: str, now: datetime) -> Authority:
    """Make a self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(common_name, None)
    since = now - CLOCK_SLACK
    builder = (
        _builder(subject, subject, key, since)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(Signing.CERTIFICATES), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key, since)


def create_certificate(
    authority: Authority, request: CertificateRequest
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a key and have its certificate signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(request.common_name, request.organization)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(subject, authority.certificate.subject, key, authority.since)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(Signing.HANDSHAKES), critical=True)
        .add_extension(x509.ExtendedKeyUsage(request.use.value), critical=False)
        .add_extension(issuer, critical=False)
    )
    if request.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in request.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority.key, hashes.SHA256()), key


def write_authority(folder: Path, file: str, authority: Authority) -> None:
    """Write the authority's certificate; its key stays in memory and is gone after the start."""
    (folder / f"{file}.crt").write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))


def write_certificates(folder: Path, authority: Authority, requests: Iterable[CertificateRequest]) -> None:
    """Make and write FILE.crt and FILE.key for each request."""
    for request in requests:
        certificate, key = create_certificate(authority, request)
        (folder / f"{request.file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(folder / f"{request.file}.key", key)


def write_token_key(path: Path) -> None:
    """Make the key that signs service account tokens."""
    _write_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))


class Signing(Enum):
    """What a key signs."""

    CERTIFICATES = "certificates"
    HANDSHAKES = "handshakes"


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(common_name: str, organization: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(signing: Signing) -> x509.KeyUsage:
    signs_certificates = signing is Signing.CERTIFICATES
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
