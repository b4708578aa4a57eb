"""A package mirror of the tests: signed as the vendor's is, reached over HTTP by hosts of a bed.

Its packages stand for Debian's and the vendor's as far as their installing is seen: what they need
of each other, what they refuse and bring. Their kernel is a word of `uname` after a restart.
"""

import gzip
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.infra.bed import Bed, run
from tests.infra.fake_pve import HOME, PROGRAMS

URL = "http://10.77.10.254:8099"
"""At the networks of the bed that it is served to."""
KERNEL = "6.8.12-1-pve"

_STARTED = "/var/lib/kernel-installed"
_UNAME = f"""#!/bin/sh
# The kernel that is started next time runs after a restart.
if [ "$1" = -r ] && [ -e /usr/bin/started-anew ] && /usr/bin/started-anew; then echo {KERNEL}
else exec /usr/bin/uname "$@"; fi
"""
_ANEW = f'#!/bin/sh\n[ "$(cat /proc/sys/kernel/random/boot_id)" != "$(cat {_STARTED})" ]\n'


@dataclass(frozen=True)
class Package:
    """A package: what its control file says, its files, what it does when it is configured."""

    name: str
    version: str = "1.0"
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    postinst: str = ""


def debians() -> tuple[Package, ...]:
    """What Debian has: kernels that a bare server runs, and what the vendor's guide adds."""
    return (
        Package("linux-image-6.1.0-42-amd64", files={"/boot/vmlinuz-6.1.0-42-amd64": "kernel\n"}),
        Package("linux-image-amd64", depends="linux-image-6.1.0-42-amd64"),
        Package("os-prober"),
        Package(
            "postfix",
            "3.7.11",
            depends="debconf",
            files={"/lib/systemd/system/postfix.service": "[Service]\nExecStart=sleep inf\n"},
            # As Debian's: it is told before, and listens to all.
            postinst=". /usr/share/debconf/confmodule\ndb_get postfix/main_mailer_type\n"
            'mkdir -p /etc/postfix\nprintf "# %s\\ninet_interfaces = all\\n" "$RET" '
            "> /etc/postfix/main.cf",
        ),
        Package("open-iscsi", "2.1.8"),
    )


def vendors(product: str, suite: str) -> tuple[Package, ...]:
    """What the vendor has for one of its products."""
    host = "[ -n \"$(getent ahostsv4 $(hostname) | grep -v '^127')\" ] || exit 1"
    at = f"https://enterprise.proxmox.com/debian/{product}"
    enterprise, brings = {
        "bookworm": ("list", f"deb {at} {suite} {product}-enterprise\n"),
        "trixie": ("sources", f"Types: deb\nURIs: {at}\nSuites: {suite}\nComponents: x\n"),
    }[suite]
    enterprise = f"/etc/apt/sources.list.d/{product}-enterprise.{enterprise}"
    links = "\n".join(
        f"ln -sf {HOME}/program /usr/local/sbin/{name}"
        for name in PROGRAMS
        if name.startswith("proxmox-backup") == (product == "pbs")
    )
    if product == "pbs":
        return (Package("proxmox-backup-server", "3.4.1", files={enterprise: brings},
                        postinst=f"{links}\nmkdir -p /etc/proxmox-backup"),)  # fmt: skip
    return (
        Package(
            f"proxmox-kernel-{KERNEL}",
            files={
                f"/boot/vmlinuz-{KERNEL}": "kernel\n",
                "/usr/local/bin/uname": _UNAME,
                "/usr/bin/started-anew": _ANEW,
            },
            postinst=f"cat /proc/sys/kernel/random/boot_id > {_STARTED}",
        ),
        Package("proxmox-default-kernel", "1.1.0", depends=f"proxmox-kernel-{KERNEL}"),
        # As the vendor's: it does not start on a name that leads to 127.0.1.1.
        Package("pve-manager", "8.4.1", files={enterprise: brings},
                postinst=f"{host}\n{links}\nmkdir -p /etc/pve"),
        Package("proxmox-ve", "8.4.0", depends="pve-manager, proxmox-default-kernel"),
    )  # fmt: skip


@dataclass
class Mirror:
    """Suites on disk, signed by a key of its own."""

    place: Path
    suite: str = "bookworm"

    @property
    def served(self) -> Path:
        return self.place / "served"

    @property
    def key(self) -> Path:
        """The public half, as apt reads it."""
        return self.served / "key.gpg"

    @property
    def checksum(self) -> str:
        return "sha256:" + hashlib.sha256(self.key.read_bytes()).hexdigest()

    @property
    def told(self) -> dict[str, object]:
        """What `base` is told of it; the source of each product is `source`."""
        return {
            "base_key_url": f"{URL}/key.gpg",
            "base_key_checksum": self.checksum,
            "base_update_cache": True,
        }

    def source(self, product: str) -> dict[str, str]:
        """Where the packages of one of the vendor's products are."""
        return {"base_repository": f"{URL}/debian/{product}"}

    def make(self) -> None:
        """Keys and packages."""
        self.served.mkdir(parents=True)
        self._gpg("--quick-generate-key", "mirror@example.go.id", "ed25519", "sign", "never")
        self._gpg("--output", self.key, "--export")
        self._publish("debian", "main", debians())
        for product in ("pve", "pbs"):
            self._publish(
                f"debian/{product}", f"{product}-no-subscription", vendors(product, self.suite)
            )
        run("gpgconf", "--homedir", self.place / "gnupg", "--kill", "gpg-agent")

    def _gpg(self, *words: str | Path) -> None:
        home = self.place / "gnupg"
        home.mkdir(mode=0o700, exist_ok=True)
        run("gpg", "--homedir", home, "--batch", "--yes", "--passphrase", "", *words)

    def _publish(self, where: str, component: str, packages: tuple[Package, ...]) -> None:
        root = self.served / where
        listed = root / "dists" / self.suite / component / "binary-amd64"
        listed.mkdir(parents=True)
        entries = "\n".join(self._build(root, one) for one in packages).encode()
        (listed / "Packages.gz").write_bytes(gzip.compress(entries))
        release = root / "dists" / self.suite
        names = {"Packages": entries, "Packages.gz": (listed / "Packages.gz").read_bytes()}
        sums = "".join(
            f" {hashlib.sha256(data).hexdigest()} {len(data)} {component}/binary-amd64/{name}\n"
            for name, data in names.items()
        )
        made = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
        (release / "Release").write_text(
            f"Suite: {self.suite}\nCodename: {self.suite}\nComponents: {component}\n"
            f"Architectures: amd64\nDate: {made}\nSHA256:\n{sums}"
        )
        self._gpg("--output", release / "InRelease", "--clearsign", release / "Release")

    def _build(self, root: Path, one: Package) -> str:
        """The package beside the lists; its entry there."""
        tree = self.place / "trees" / one.name
        (tree / "DEBIAN").mkdir(parents=True)
        said = (
            f"Package: {one.name}\nVersion: {one.version}\nArchitecture: amd64\n"
            + (f"Depends: {one.depends}\n" if one.depends else "")
            + "Maintainer: nobody <nobody@example.go.id>\nDescription: of the tests\n"
        )
        (tree / "DEBIAN/control").write_text(said)
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\nset -e\n{one.postinst}\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
        for path, text in one.files.items():
            file = tree / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
        package = root / f"{one.name}.deb"
        subprocess.run(["dpkg-deb", "-b", tree, package], check=True, capture_output=True)
        data = package.read_bytes()
        return (f"{said}Filename: {package.name}\nSize: {len(data)}\n"
                f"SHA256: {hashlib.sha256(data).hexdigest()}\n")  # fmt: skip

    @contextmanager
    def serve(self, bed: Bed) -> Iterator[None]:
        """Reached by the hosts of a bed while this lasts."""
        address, _, port = URL.removeprefix("http://").partition(":")
        server = subprocess.Popen(
            ["ip", "netns", "exec", bed.tag, sys.executable, "-m", "http.server", port,
             "--bind", address, "--directory", str(self.served)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            server.terminate()
            server.wait(timeout=60)

    def bare(self, bed: Bed, name: str) -> None:
        """A host as Debian's installer leaves it, but that this mirror is its only one."""
        trusted = "/usr/share/keyrings/debian-of-the-tests.gpg"
        source = f"deb [signed-by={trusted}] {URL}/debian {self.suite} main"
        fetch = f"urllib.request.urlretrieve('{URL}/key.gpg', '{trusted}')"
        bed.wait_for(name, f'python3 -c "import urllib.request; {fetch}"')
        bed.run(
            name,
            f"rm -rf /etc/apt/sources.list.d/* && echo '{source}' > /etc/apt/sources.list && "
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "
            "linux-image-amd64 os-prober 2>&1",
        )
