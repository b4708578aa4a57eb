"""Three hosts to try roles on: a base tree made once, an overlay and a network per host."""

import fcntl
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("n1", "n2", "n3")
RINGS = (10, 20)
"""Third byte of each ring's network: 10.77.10.0/24 is ring 0 (ssh too), 10.77.20.0/24 ring 1."""

RELEASE = os.environ.get("CLOUDPEMDA_INFRA_RELEASE", "bookworm")
"""Debian on the hosts of tests that do not ask for one: bookworm or trixie."""
MAJORS = {"bookworm": 8, "trixie": 9}
"""Proxmox VE that stands on it."""

PACKAGES = (
    "auditd", "ca-certificates", "chrony", "corosync", "corosync-qdevice", "dbus", "fail2ban",
    "gpg", "ifupdown2", "iproute2", "iputils-ping", "kmod", "locales", "lsb-release", "nftables",
    "nginx", "openssh-server", "postgresql", "prometheus-node-exporter", "python3", "python3-apt",
    "python3-systemd", "python3-venv", "smartmontools", "sudo", "systemd-sysv",
    "unattended-upgrades",
)  # fmt: skip
_TOOLS = ("gpg", "gpg-agent", "ip", "mmdebstrap", "nc", "ssh", "ssh-keygen", "systemd-nspawn")
_CAPABILITIES = (
    "CAP_NET_ADMIN,CAP_SYS_NICE,CAP_IPC_LOCK,CAP_SYS_RESOURCE,CAP_AUDIT_CONTROL,CAP_AUDIT_WRITE"
)

_AGAIN = """trap : TERM
while :; do
  ( while [ "$1" != -- ]; do mkdir -p "$1" && echo 0 > "$1/cgroup.procs"; shift; done
    shift; exec "$@" )
  [ $? -eq 133 ] || exit
done"""
"""A host that restarts ends systemd-nspawn with 133, so that it is booted again. What comes before
`--` are control groups of its own: see `_groups`."""

_NUMBERS = itertools.count()
_AWAY = ("auditd", "fail2ban")
"""Services that wait for the role that wants them: auditd starts on one host of a kernel alone."""
_BY_THE_CLOCK = (
    "apt-daily", "apt-daily-upgrade", "dpkg-db-backup", "e2scrub_all", "fstrim", "logrotate",
    "man-db", "systemd-tmpfiles-clean",
)  # fmt: skip
"""Timers that would hold apt's locks, or change files, at an hour that some test is played at."""
_STOPS = "[Manager]\nDefaultTimeoutStopSec=15s\n"
"""In a container systemd may miss that a service's last process ended, and waits this long."""


def lacking() -> str | None:
    """What this machine lacks to boot hosts; None when nothing."""
    if os.geteuid() != 0:
        return "booting hosts needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def run(*command: str | Path, check: bool = True) -> str:
    """A command on this machine; its output. Raises RuntimeError when it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return done.stdout


def base_tree(release: str) -> Path:
    """A Debian with the packages of the roles, kept in a cache named by its contents."""
    return cached_tree(
        release,
        PACKAGES,
        # What roles of VMs bring is there, as no mirror is in reach, and does not run.
        '--customize-hook=chroot "$1" systemctl disable nginx postgresql',
    )


def cached_tree(release: str, packages: Sequence[str], *options: str) -> Path:
    """A Debian with these packages, made once for what is asked."""
    name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]

    def make(made: Path) -> None:
        run(
            "mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            *options, release, made,
        )  # fmt: skip

    return cached(name if release == "bookworm" else f"{release}-{name}", make)


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """What takes long to make, kept for later runs and other workers, who wait for the first."""
    cache = Path(os.environ.get("CLOUDPEMDA_INFRA_CACHE", "/var/cache/cloudpemda-infra"))
    kept = cache / name
    if kept.exists():  # not behind who makes another one
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = cache / f"{name}.new"
            _away(made)
            make(made)
            made.rename(kept)
    return kept


def _away(made: Path) -> None:
    """What somebody who was killed left of it, without what is mounted in it still."""
    for line in reversed(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()):
        if Path(place := line.split()[1]).is_relative_to(made):
            run("umount", "--lazy", place)
    shutil.rmtree(made, ignore_errors=True)


def _groups(name: str) -> list[Path]:
    """A host's own control groups, below ours. systemd-nspawn would put all hosts of this machine
    into one group; there systemd finds processes of others in the services that it ends, gives up
    killing its own, and misses that the last of them is gone."""
    ours = {}
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, kind, path = line.split(":", 2)
        ours[kind] = path.lstrip("/")
    found = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2" and "" in ours:
            found.append(Path(place, ours[""], name))
        elif kind == "cgroup" and "name=systemd" in options.split(",") and "name=systemd" in ours:
            found.append(Path(place, ours["name=systemd"], name))
    return found


def _emptied(group: Path) -> None:
    """Take a control group away, whose processes have ended, with those below it."""
    for one in (*sorted(group.rglob("*/"), reverse=True), group):
        with suppress(OSError):
            one.rmdir()


def _more_watches() -> None:
    """Each host's systemd takes seven of the 128 inotify instances that Linux gives root: too few
    for the hosts of all workers, and those of another run beside them."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    with suppress(OSError):
        if int(limit.read_text()) < 1024:
            limit.write_text("1024\n")


@dataclass
class Bed:
    """Hosts that run until `stop`; `place` holds their overlays, keys and logs."""

    place: Path
    release: str = RELEASE
    names: tuple[str, ...] = NAMES
    brings: frozenset[str] = frozenset()
    """Programs that the hosts have themselves, so that no fake stands in for them."""
    patience: int = 600
    """Tries, half a second apart, until a host lets us in."""
    tag: str = field(default_factory=lambda: f"cp{os.getpid()}x{next(_NUMBERS)}")
    """No two beds share it: what the kernel has of the last one goes some time after its end."""
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def key(self) -> Path:
        return self.place / "key"

    @property
    def shared(self) -> Path:
        """A directory that all hosts have at /var/lib/fake-pve."""
        return self.place / "shared"

    @property
    def ssh_config(self) -> Path:
        return self.place / "ssh_config"

    def address(self, name: str, ring: int = 0) -> str:
        return f"10.77.{RINGS[ring]}.{NAMES.index(name) + 1}"

    def start(self) -> None:
        tree = base_tree(self.release)
        _more_watches()
        self._prepare()
        self._network()
        for name in self.names:
            self._boot(tree, name)
        self._write_ssh_config(f"ProxyCommand ip netns exec {self.tag} nc -w 60 %h %p")
        for name in self.names:
            self.wait_for(name, "systemctl is-system-running --wait | grep -qE 'running|degraded'")

    def _prepare(self) -> None:
        self.shared.mkdir()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)

    def _network(self) -> None:
        run("ip", "netns", "add", self.tag)
        for ring, byte in enumerate(RINGS):
            self._here("ip", "link", "add", f"br{ring}", "type", "bridge")
            self._here("ip", "addr", "add", f"10.77.{byte}.254/24", "dev", f"br{ring}")
            self._here("ip", "link", "set", f"br{ring}", "up")
        for name in self.names:
            space = f"{self.tag}{name}"
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
            for ring in range(len(RINGS)):
                run(
                    "ip", "-n", self.tag, "link", "add", f"{name}r{ring}", "type", "veth",
                    "peer", "name", f"ring{ring}", "netns", space,
                )  # fmt: skip
                self._here("ip", "link", "set", f"{name}r{ring}", "master", f"br{ring}", "up")
                address = f"{self.address(name, ring)}/24"
                run("ip", "-n", space, "addr", "add", address, "dev", f"ring{ring}")
                run("ip", "-n", space, "link", "set", f"ring{ring}", "up")

    def _here(self, *command: str) -> str:
        return run("ip", "netns", "exec", self.tag, *command)

    def _root(self, tree: Path, name: str) -> Path:
        """The host's own view of the tree, with its name, and the way in for us."""
        root, upper, work = (self.place / f"{name}-{part}" for part in ("root", "upper", "work"))
        for one in (root, upper, work):
            one.mkdir()
        layers = f"lowerdir={tree},upperdir={upper},workdir={work}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, root)
        authorized = root / "root" / ".ssh" / "authorized_keys"
        authorized.parent.mkdir(mode=0o700, exist_ok=True)
        authorized.write_bytes(self.key.with_suffix(".pub").read_bytes())
        authorized.chmod(0o600)
        (root / "etc/hostname").write_text(name + "\n")
        known = "".join(f"{self.address(one)} {one}.example.go.id {one}\n" for one in self.names)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n" + known)
        (root / "etc/machine-id").write_text("")
        for service in _AWAY:
            (root / f"etc/systemd/system/multi-user.target.wants/{service}.service").unlink(
                missing_ok=True
            )
        for timer in _BY_THE_CLOCK:
            (root / f"etc/systemd/system/{timer}.timer").symlink_to("/dev/null")
        stops = root / "etc/systemd/system.conf.d/bed.conf"
        stops.parent.mkdir()
        stops.write_text(_STOPS)
        run("chroot", root, "ssh-keygen", "-A")
        return root

    def _boot(self, tree: Path, name: str) -> None:
        root = self._root(tree, name)
        # The clock belongs to the machine: chrony runs and asks, but sets nothing.
        (root / "etc/default/chrony").write_text('DAEMON_OPTS="-x"\n')
        allowed = root / "etc/systemd/system/chrony.service.d/bed.conf"
        allowed.parent.mkdir()
        allowed.write_text("[Unit]\nConditionCapability=\n")
        log = (self.place / f"{name}.log").open("wb")
        self._running.append(
            subprocess.Popen(
                ["sh", "-c", _AGAIN, "bed", *_groups(f"{self.tag}{name}"), "--",
                 "systemd-nspawn", "-q", "-D", root,
                 "-M", f"{self.tag}{name}", "--register=no", "--keep-unit",
                 "--timezone=off",
                 f"--network-namespace-path=/run/netns/{self.tag}{name}",
                 f"--bind={self.shared}:/var/lib/fake-pve",
                 f"--capability={_CAPABILITIES}", "--console=pipe", "-b"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            )
        )  # fmt: skip
        log.close()

    def _write_ssh_config(self, way: str) -> None:
        self.ssh_config.write_text(
            "Host *\n  User root\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n"
            "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
            "  ConnectTimeout 30\n  ServerAliveInterval 5\n  ServerAliveCountMax 24\n"
            "  ControlMaster auto\n  ControlPersist 120\n"
            f"  ControlPath /tmp/{self.tag}-%C\n"
            f"  {way}\n"
        )

    def account(self, name: str, account: str, rights: str = "") -> None:
        """Another account than root, let in by the same key; `rights` is its line for sudo."""
        self.run(
            name,
            f"id -u {account} || useradd --create-home --shell /bin/sh {account}; "
            f"cp -r /root/.ssh ~{account}/ && chown -R {account}: ~{account}/.ssh; "
            f"echo '{rights}' > /etc/sudoers.d/{account}",
        )

    def run(self, name: str, command: str, *, check: bool = True) -> str:
        """A command on a host over ssh; its output."""
        return run("ssh", "-F", self.ssh_config, self.address(name), command, check=check)

    def wait_for(self, name: str, condition: str, seconds: int = 180) -> None:
        """Until a shell condition holds on a host; the host itself waits, not the test."""
        loop = f"for i in $(seq {seconds * 4}); do {condition} && exit 0; sleep 0.25; done; exit 1"
        for _ in range(self.patience):
            done = subprocess.run(
                ["ssh", "-F", self.ssh_config, self.address(name), loop],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 255:  # 255: no connection yet
                break
            subprocess.run(["sleep", "0.5"], check=True)
        if done.returncode:
            raise RuntimeError(f"{name} never came to: {condition}\n{done.stdout}{done.stderr}")

    def looks(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        """A command inside a host without its network: for a host whose ring 0 is cut."""
        leader = self._running[self.names.index(name)].pid
        outside = run("pgrep", "-P", str(leader)).split()[0]
        inside = run("pgrep", "-P", outside).split()[0]
        return subprocess.run(
            ["nsenter", "-t", inside, "-a", "sh", "-c", command],
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip

    @contextmanager
    def cut(self, name: str, *rings: int) -> Iterator[None]:
        """Links of a host pulled out, put back afterwards."""
        for ring in rings:
            self._here("ip", "link", "set", f"{name}r{ring}", "down")
        try:
            yield
        finally:
            for ring in rings:
                self._here("ip", "link", "set", f"{name}r{ring}", "up")

    def reaches(self, name: str, port: int, ring: int = 0) -> bool:
        """Whether a TCP port of a host answers from outside of it."""
        try:
            self._here("nc", "-z", "-w", "5", self.address(name, ring), str(port))
        except RuntimeError:
            return False
        return True

    def outside(self, *command: str) -> None:
        """A command at the hosts' networks, as who administers them; it may fail."""
        run("ip", "netns", "exec", self.tag, *command, check=False)

    def stop(self) -> None:
        for name in self.names:
            run("ssh", "-F", self.ssh_config, "-O", "exit", self.address(name), check=False)
        # Hosts need no orderly end: the second TERM ends them at once.
        for seconds, sign in ((2, signal.SIGTERM), (10, signal.SIGTERM), (30, signal.SIGKILL)):
            for one in self._running:
                if one.poll() is None:
                    os.killpg(one.pid, sign)
            until = time.monotonic() + seconds
            while time.monotonic() < until and any(one.poll() is None for one in self._running):
                time.sleep(0.05)
        for name in self.names:
            run("umount", self.place / f"{name}-root", check=False)
            run("ip", "netns", "delete", f"{self.tag}{name}", check=False)
            for group in _groups(f"{self.tag}{name}"):
                _emptied(group)
        run("ip", "netns", "delete", self.tag, check=False)
        shutil.rmtree(f"/tmp/{self.tag}-ansible", ignore_errors=True)  # noqa: S108
