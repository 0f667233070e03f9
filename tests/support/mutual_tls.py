"""A server before Temporal that asks each client for a certificate, as a cluster's frontend does: TLS outside, plain text inside."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "temporal.test"
_Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates, in ``folder``: its own is ``ca.pem``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _name("an authority of tests")
        own = _certificate(self._name, self._key, self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificate = self._keep("ca", own)

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key, for a server or a client of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_name(name), key, self._name, self._key, x509.SubjectAlternativeName([x509.DNSName(name)]))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (file := self._folder / f"{name}.key").write_bytes(private)
        return self._keep(name, certificate), file

    def _keep(self, name: str, certificate: x509.Certificate) -> Path:
        (file := self._folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return file


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, key: _Key, issuer: x509.Name, by: _Key, extension: x509.ExtensionType) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    return (
        builder.not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=False)
        .sign(by, hashes.SHA256())
    )


@asynccontextmanager
async def mutual_tls(authority: Authority, behind: str) -> AsyncIterator[str]:
    """The address of the server; ``behind`` is Temporal's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.issue(NAME))
    context.set_alpn_protocols(["h2"])
    host, _, port = behind.rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
