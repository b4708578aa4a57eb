"""A host with a kernel of its own, where ZFS is what it says: QEMU, emulated in software."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.infra.bed import Bed, cached_tree, run

PACKAGES = (
    "bsd-mailx", "ca-certificates", "chrony", "dbus", "dma", "initramfs-tools", "iproute2",
    "iputils-ping", "kmod", "linux-headers-amd64", "linux-image-amd64", "openssh-server", "parted",
    "prometheus-node-exporter", "python3", "python3-apt", "systemd-sysv", "udev", "zfs-dkms",
    "zfs-zed", "zfsutils-linux",
)  # fmt: skip
DISKS = 6
MIB = 1024 * 1024
_TOOLS = ("mkfs.ext4", "mmdebstrap", "qemu-system-x86_64", "ssh", "ssh-keygen")


def lacking() -> str | None:
    """What this machine lacks, or has not been asked for; None when nothing."""
    if os.environ.get("CLOUDPEMDA_ZFS", "") in {"", "0"}:
        return "real ZFS takes 15 minutes the first time: CLOUDPEMDA_ZFS=1 asks for it"
    if os.geteuid() != 0:
        return "making a guest's disk needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class Guest(Bed):
    """One guest, `z1`, reached through a port of this machine; its disks are files of `place`."""

    def __init__(self, place: Path, release: str) -> None:
        super().__init__(place, release, ("z1",), frozenset({"zfs", "zpool"}), 1200)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    def address(self, name: str, ring: int = 0) -> str:
        return "10.0.2.15" if ring == 0 else "127.0.0.1"

    def start(self) -> None:
        """Boots it; the tree is made first where it is not kept yet, which takes long."""
        tree = cached_tree(self.release, PACKAGES, "--components=main contrib")
        self._prepare()
        root = self._root(tree, "z1")
        etc = root / "etc"
        (etc / "fstab").write_text(
            "LABEL=bed / ext4 defaults 0 1\n"
            "shared /var/lib/fake-pve 9p trans=virtio,version=9p2000.L,msize=131072 0 0\n"
        )
        (etc / "systemd/network/10-bed.network").write_text(
            "[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
        )
        (root / "var/lib/fake-pve").mkdir()
        run("chroot", root, "systemctl", "enable", "systemd-networkd")
        image = self.place / "root.raw"
        run("truncate", "-s", "6G", image)
        run("mkfs.ext4", "-q", "-L", "bed", "-E", "lazy_itable_init=1", "-d", root, image)
        for number in range(DISKS):
            run("truncate", "-s", "256M", self.place / f"disk{number}.raw")
        (kernel,) = (tree / "boot").glob("vmlinuz-*")
        (initrd,) = (tree / "boot").glob("initrd.img-*")
        disks = [
            word
            for number in range(DISKS)
            for word in (
                "-drive", f"if=none,id=d{number},format=raw,file={self.place}/disk{number}.raw",
                "-device", f"virtio-blk-pci,drive=d{number},serial=pool{number}",
            )
        ]  # fmt: skip
        log = (self.place / "z1.log").open("wb")
        self._running.append(
            subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "2048",
                 "-nographic", "-vga", "none",
                 "-kernel", kernel, "-initrd", initrd,
                 "-append", "root=LABEL=bed rw console=ttyS0",
                 "-drive", f"if=virtio,format=raw,file={image}", *disks,
                 "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self._port}-:22",
                 "-device", "virtio-net-pci,netdev=net,romfile=",
                 "-virtfs", f"local,path={self.shared},mount_tag=shared,security_model=none"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        )  # fmt: skip
        log.close()
        self._write_ssh_config(f"Port {self._port}\n  HostName 127.0.0.1")
        self.wait_for("z1", "systemctl is-system-running --wait | grep -qE 'running|degraded'", 300)

    def stop(self) -> None:
        for one in self._running:
            os.killpg(one.pid, signal.SIGTERM)
            one.wait(timeout=30)
        run("umount", self.place / "z1-root", check=False)


def disk(number: int) -> str:
    """One of the guest's disks, by identity."""
    return f"/dev/disk/by-id/virtio-pool{number}"
