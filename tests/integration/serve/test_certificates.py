"""Certificates are replaced while gRPC and the gateway serve; callers may need one of their own."""

import datetime
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.client import CallError, ClientCertificate, PatrolClient
from engine.client.channel import client_certificate
from engine.config.checks import cross_key_errors
from engine.config.schema import Settings
from engine.config.serve import ServeSettings
from engine.errors import ConfigError
from engine.runtime import certificate
from engine.runtime.certificate import TlsFiles, WatchedCertificate, load
from tests.support.serve.served import serving
from tests.support.waiting import wait_until
from tests.support.web.gateway import gateway

_PEM = serialization.Encoding.PEM


class Authority:
    """An authority that signs certificates of 127.0.0.1."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._number = 1
        self.pem = self._signed(self._name, self._key, is_ca=True).public_bytes(_PEM)

    def sign(self, name: str) -> tuple[bytes, bytes, int]:
        """Return a certificate and its key in PEM, and its serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, is_ca=False)
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return made.public_bytes(_PEM), key.private_bytes(_PEM, form, none), made.serial_number

    def _signed(self, name: x509.Name, key: Any, *, is_ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        self._number += 1
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(self._number)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=self._number))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(self._key, hashes.SHA256())
        )


def put(folder: Path, pair: tuple[bytes, bytes, int]) -> dict[str, Any]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(pair[0])
    key.write_bytes(pair[1])
    return {"tls_cert_file": str(cert), "tls_key_file": str(key)}


def serial(address: str) -> int:
    """The serial number of the certificate that a new connection gets."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain) as secure:
        der = secure.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


@pytest.fixture
def authority() -> Authority:
    return Authority("test")


def test_grpc_gives_new_connections_the_new_certificate(tmp_path: Path, authority: Authority) -> None:
    first, second = authority.sign("a"), authority.sign("b")
    with serving(tmp_path, **put(tmp_path, first)) as served:
        assert serial(served.address) == first[2]
        with PatrolClient(served.address, ca=authority.pem) as old:
            assert old.status().version == "v"
            put(tmp_path, second)
            wait_until(lambda: serial(served.address) == second[2], what="the new certificate")
            assert old.status().version == "v"  # a connection that was there goes on
        (tmp_path / "cert.pem").write_bytes(first[0])  # without its key
        with PatrolClient(served.address, ca=authority.pem) as new:
            assert new.status().version == "v"
        assert serial(served.address) == second[2]


def test_the_gateway_gives_new_connections_the_new_certificate(tmp_path: Path, authority: Authority) -> None:
    first, second = authority.sign("a"), authority.sign("b")
    files = put(tmp_path, first)
    with serving(tmp_path) as served, gateway(served.address, b"", **files) as address:
        assert serial(address) == first[2]
        put(tmp_path, second)
        wait_until(lambda: serial(address) == second[2], what="the new certificate")


def test_files_that_cannot_be_used_leave_the_old_certificate(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Log:
        def error(self, event: str, **fields: str) -> None:
            said.append(f"{event}: {fields['detail']}")

        def info(self, event: str, **fields: str) -> None:
            said.append(event)

    monkeypatch.setattr(certificate, "logger", Log)
    first, second = authority.sign("a"), authority.sign("b")
    names = put(tmp_path, first)
    watched = WatchedCertificate(TlsFiles("serve", names["tls_cert_file"], names["tls_key_file"]))
    assert not watched.check()
    for spoil in (
        lambda: (tmp_path / "cert.pem").write_bytes(second[0]),  # not of this key
        lambda: (tmp_path / "cert.pem").write_text("nothing"),
        lambda: (tmp_path / "key.pem").unlink(),
    ):
        spoil()
        assert not watched.check()  # perhaps still being written
        assert not watched.check()
        assert watched.current.chain == first[0]
    assert len(said) == 3
    assert all("the old one stays" in line for line in said)
    assert "the key is not that of the first certificate" in said[0]
    assert not watched.check()
    assert len(said) == 3  # once for each change
    put(tmp_path, second)
    watched.check()
    assert watched.check()
    assert watched.current.chain == second[0]
    assert watched.current.expires_wall_ns != load(TlsFiles("x", *put(tmp_path, first).values())).expires_wall_ns
    assert "PRIVATE" not in repr(watched.current)


def test_callers_need_a_certificate_of_the_authority(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clients.pem").write_bytes(authority.pem)
    own, foreign = authority.sign("caller"), Authority("other").sign("caller")
    names = put(tmp_path, authority.sign("server")) | {"tls_client_ca_file": str(tmp_path / "clients.pem")}
    with serving(tmp_path, **names) as served:
        with PatrolClient(
            served.address, ca=authority.pem, certificate=ClientCertificate(own[0], own[1]), timeout_s=10
        ) as client:
            assert client.status().version == "v"
        for wrong in (None, ClientCertificate(foreign[0], foreign[1])):
            with (
                PatrolClient(served.address, ca=authority.pem, certificate=wrong, timeout_s=5) as client,
                pytest.raises(CallError),
            ):
                client.status()
    (tmp_path / "own.pem").write_bytes(own[0])
    (tmp_path / "own.key").write_bytes(own[1])
    assert client_certificate() is None
    monkeypatch.setenv("PATROL_CLIENT_CERT", str(tmp_path / "own.pem"))
    with pytest.raises(ConfigError, match="one without the other"):
        client_certificate()
    monkeypatch.setenv("PATROL_CLIENT_KEY", str(tmp_path / "own.key"))
    assert client_certificate() == ClientCertificate(own[0], own[1])
    monkeypatch.setenv("PATROL_CLIENT_KEY", str(tmp_path / "none.key"))
    with pytest.raises(ConfigError, match="No such file"):
        client_certificate()


def test_an_authority_without_a_certificate_is_refused() -> None:
    (error,) = cross_key_errors(Settings(serve=ServeSettings(tls_client_ca_file="ca.pem")))
    assert "serve.tls_client_ca_file" in error
