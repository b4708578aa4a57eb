"""The lab's certificates, as its ports use them; made only once, for that takes a large library."""

import hashlib
import ssl
from pathlib import Path


def ensure(directory: Path) -> None:
    """Make `ca.pem`, `server.pem` and `server.key` in a directory that lacks them."""
    if not all((directory / name).exists() for name in ("ca.pem", "server.pem", "server.key")):
        from cloudpemda.lab.certificates import make

        make(directory)


def fingerprint(directory: Path) -> str:
    """SHA-256 of the server certificate, `AA:BB:…`."""
    der = ssl.PEM_cert_to_DER_cert((directory / "server.pem").read_text("ascii"))
    return hashlib.sha256(der).digest().hex(":").upper()


def context(directory: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(directory / "server.pem", directory / "server.key")
    return made
