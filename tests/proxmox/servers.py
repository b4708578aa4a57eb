"""A small HTTPS server whose answers, and failures to answer, a test decides."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Answer:
    """What the server sends; `cut` closes the connection instead, after the work was done."""

    status: int = 200
    body: bytes = b'{"data": null}'
    reason: str = "OK"
    cut: bool = False
    location: str = ""
    hang: Event | None = None  # answers when it is set


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: str
    authorization: str


@dataclass
class Server:
    url: str
    ca: Path
    fingerprint: str
    asked: list[Asked] = field(default_factory=list)


def certificate(folder: Path) -> tuple[Path, Path, str]:
    """A self-signed certificate for 127.0.0.1: its file, its key's file, its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file, made.fingerprint(hashes.SHA256()).hex(":").upper()


@contextmanager
def serving(folder: Path, answer: Callable[[Asked], Answer]) -> Iterator[Server]:
    """Serve `answer` over HTTPS on a free port of 127.0.0.1."""
    certificate_file, key_file, fingerprint = certificate(folder)
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            call = Asked(self.command, self.path, body, self.headers.get("Authorization", ""))
            asked.append(call)
            told = answer(call)
            if told.cut:
                self.close_connection = True
                return
            if told.hang is not None:
                told.hang.wait()
            self.send_response(told.status, told.reason)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that refuses the certificate is what some tests are about

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_address[1]}"
        yield Server(url, certificate_file, fingerprint, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
