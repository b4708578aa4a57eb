"""The site's key: the one way into VMs whose requests have roles.

Its private half is a file of the site's, 0600, and never leaves this machine; its public half goes
into these VMs by cloud-init, beside the keys of their OPD. Other VMs never get it.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloudpemda.document.files import read_regular
from cloudpemda.document.owner import give
from cloudpemda.errors import Fault, InvalidInput, Refused, Unreachable
from cloudpemda.request import ssh
from cloudpemda.site import Site
from cloudpemda.site.models import ConfigureSettings
from cloudpemda.usecases.desk import Desk


def make_key(desk: Desk) -> tuple[Path, str]:
    """Make the key pair (ed25519); answers with the private half's file and the public half.

    For operators. Raises Refused `configure.no-key`, `configure.key-exists` (a key is never
    replaced: VMs know no other), Unreachable `configure.key-unwritable`.
    """
    actor = desk.act("operator")
    file = desk.site.path(settings(desk.site).key)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    half = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    public = f"{half.decode('ascii')} cloudpemda@{desk.site.info.site.name}"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(_public(file), f"{public}\n".encode(), 0o644)
        _write(file, private, 0o600)
    except FileExistsError as error:
        raise Refused("configure.key-exists", file=str(error.filename)) from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("configure.key-unwritable", file=str(file), cause=cause) from error
    desk.ledger.audit.note(actor, "nodes.key", None, desk.site.info.site.name, public=public)
    return file, public


def public_half(site: Site) -> str:
    """The public half as VMs get it; empty where the site names no key or it is not made yet.
    Raises InvalidInput `configure.key-unsound` for a file that holds none."""
    if site.info.configure is None:
        return ""
    file = _public(site.path(site.info.configure.key))
    if not file.exists():
        return ""
    line = read_regular(file).decode("utf-8", "replace").strip()
    if ssh.fault_of(line) is not None:
        raise InvalidInput([Fault("configure.key-unsound", file=str(file))])
    return line


def key_faults(site: Site) -> tuple[Fault, ...]:
    """What is wrong with the key that the site names, and with the way to the VMs; nothing where
    it names none."""
    said = site.info.configure
    if said is None:
        return ()
    file = site.path(said.key)
    faults: list[Fault] = []
    if said.ssh_config is not None and not site.path(said.ssh_config).is_file():
        faults.append(Fault("document.not-found", file=str(site.path(said.ssh_config))))
    if not file.exists() and not _public(file).exists():
        return (*faults, Fault("configure.key-absent", file=str(file)))
    try:
        key = serialization.load_ssh_private_key(read_regular(file, private=True), None)
    except InvalidInput as error:
        return (*faults, *error.faults)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        return (*faults, Fault("configure.key-unreadable", file=str(file)))
    half = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    try:
        known = public_half(site)
    except InvalidInput as error:
        return (*faults, *error.faults)
    if known.split()[:2] != half.decode("ascii").split():
        faults.append(Fault("configure.key-differs", {"key": str(file)}, file=str(_public(file))))
    return tuple(faults)


def private_half(site: Site) -> Path:
    """The private half's file. Raises Refused `configure.no-key`, InvalidInput for a file that is
    absent, or that group or others may read."""
    file = site.path(settings(site).key)
    read_regular(file, private=True)
    return file.absolute()


def settings(site: Site) -> ConfigureSettings:
    """Raises Refused `configure.no-key` where site.yaml names none."""
    if site.info.configure is None:
        raise Refused("configure.no-key")
    return site.info.configure


def _public(file: Path) -> Path:
    return file.with_name(f"{file.name}.pub")


def _write(file: Path, data: bytes, mode: int) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    with os.fdopen(os.open(file, flags, mode), "wb") as out:
        os.fchmod(out.fileno(), mode)
        give(out.fileno(), file.parent)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
