"""Hostile files are refused with a stable code, quickly and in little memory.

Each is read in a process of its own, whose processor time is limited and whose memory is
measured, so that a reader that expands, blocks or recurses fails the test instead of the machine.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudpemda.document import load

_READ = """
import resource, sys
from cloudpemda.document import load
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
source = load(Path(sys.argv[1]))
# not ru_maxrss: Linux lets a child begin with its parent's, and pytest's grows
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)
print(*[fault.code for fault in source.faults])
"""

MOST_MIB = 100


def _codes(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    memory, *codes = done.stdout.splitlines()
    assert int(memory) < MOST_MIB, f"{memory} MiB"
    return codes[0].split() if codes else []


def _billion_laughs() -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


BOMBS: dict[str, tuple[str, str]] = {
    "alias-bomb": (_billion_laughs(), "document.alias"),
    "self-reference": ("&a [*a, *a]", "document.alias"),
    "merge-bomb": ("a: &a {x: 1}\nb: {<<: [*a, *a]}", "document.merge-key"),
    "flow-depth": ("[" * 250_000, "document.too-deep"),
    "flow-mapping-depth": ("{a: " * 60_000, "document.too-deep"),
    "block-depth": ("- " * 120_000, "document.too-deep"),
    "key-depth": ("? " * 120_000, "document.too-deep"),
    "indent-depth": (
        "".join(" " * n + f"k{n}:\n" for n in range(700)),
        "document.too-deep",
    ),
    "many-keys": ("\n".join(f"{n:x}k: 1" for n in range(26_000)), "document.too-many-values"),
    "many-duplicates": ("a: 1\n" * 50_000, "document.too-many-faults"),
    "many-bad-keys": ("1: x\n" * 50_000, "document.too-many-faults"),
    "many-values-of-nothing": ("? [" + "x," * 100_000 + "]\n: 1", "document.key"),
    "many-traps": ("[" + "no," * 80_000 + "]", "document.too-many-faults"),
    "long-key": ("k" * 250_000 + ": 1", "document.colon"),
    "long-number": ("a: " + "9" * 250_000, "document.number"),
    "long-colons": ("a: " + "1:" * 100_000 + "1", "document.ambiguous"),
    "long-word": ("a: " + "0x" + "f" * 250_000, "document.ambiguous"),
    "many-anchors": ("".join(f"- &a{n} x\n" for n in range(20_000)), "document.too-many-faults"),
    "quotes": ("a: " + "'" * 250_001, "document.open-quote"),
    "brackets-in-lines": ("[\n" * 120_000, "document.too-deep"),
    "many-tags": ("- !!python/object:x y\n" * 10_000, "document.too-many-faults"),
    "too-large": ("a: " + "x" * 262_144, "document.too-large"),
    "zeros": ("\x00" * 200_000, "document.control-character"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, tmp_path: Path) -> None:
    text, code = BOMBS[name]
    (tmp_path / "f.yaml").write_text(text)
    codes = _codes(tmp_path / "f.yaml")
    assert code in codes


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _link(path: Path) -> None:
    (path.parent / "real.yaml").write_text("a: 1")
    path.symlink_to("real.yaml")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_fifo, "document.not-a-file"),
        (_socket, "document.not-a-file"),
        (_link, "document.symlink"),
        (Path.mkdir, "document.directory"),
        (_huge, "document.too-large"),
        (lambda path: path.symlink_to("/dev/zero"), "document.symlink"),
        (lambda path: None, "document.not-found"),
        (lambda path: path.symlink_to(path), "document.symlink"),
    ],
)
def test_what_is_no_regular_file(
    make: Callable[[Path], None], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    make(Path("f.yaml"))
    assert _codes(Path("f.yaml")) == [code]


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_devices(device: str) -> None:
    codes = _codes(Path(device))
    assert codes in (["document.not-a-file"], ["document.unreadable"])


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "f.yaml/under"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("a: 1")
    assert [fault.code for fault in load(tmp_path / name).faults] == ["document.not-found"]
