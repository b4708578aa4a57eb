"""Requests as text, for tests: one that is valid, and ways to write the same thing otherwise."""

import base64
import json
from typing import Any

from hypothesis import strategies as st

ED25519 = (
    "ssh-ed25519 "
    + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
    + " siti@dinkes"
)
OTHER_KEY = (
    "ssh-ed25519 "
    + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(1, 33))).decode()
    + " asep@dinkes"
)

Tree = dict[str, Any]


def valid() -> Tree:
    """A request with two kinds of VM, as plain values that a test may change."""
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "VMRequest",
        "metadata": {
            "name": "simrs",
            "opd": "dinkes",
            "letter": {"number": "500.12.3/417/Dinkes/2026", "date": "2026-11-20"},
            "requester": {
                "name": "Siti Rahmawati",
                "nip": "198501012010012001",
                "position": "Kasubag TI",
                "email": "siti@dinkes.example.go.id",
            },
        },
        "spec": {
            "purpose": "Sistem informasi manajemen rumah sakit daerah",
            "serviceClass": "critical",
            "until": "2027-12-31",
            "vms": [
                {
                    "name": "db",
                    "count": 2,
                    "keepApart": True,
                    "image": "debian-12",
                    "cpu": 4,
                    "memory": "8 GiB",
                    "disks": [
                        {"name": "root", "size": "40 GiB", "class": "ssd"},
                        {"name": "data", "size": "200 GiB", "class": "hdd", "protect": False},
                    ],
                    "networks": [
                        {"name": "dinkes-app"},
                        {"name": "dinkes-db", "publicIp": False},
                    ],
                    "sshKeys": [ED25519, OTHER_KEY],
                },
                {
                    "name": "app",
                    "image": "debian-12",
                    "flavor": "m4",
                    "disks": [{"name": "root", "size": "40 GiB", "class": "ssd"}],
                    "networks": [{"name": "dinkes-app", "publicIp": True}],
                    "sshKeys": [ED25519],
                },
            ],
        },
    }


def write(tree: object) -> bytes:
    """The document as JSON, which is YAML: every text is quoted."""
    return json.dumps(tree, ensure_ascii=False, indent=1).encode()


@st.composite
def written(draw: st.DrawFn, tree: object) -> bytes:
    """The same values in another writing: style, quotes, order of keys, comments, indentation."""
    return draw(_block(tree, "")).encode()


@st.composite
def _block(draw: st.DrawFn, tree: object, pad: str) -> str:
    """The lines of a mapping or a list, each indented by `pad`."""
    entries: list[tuple[str, object]]
    if isinstance(tree, dict):
        entries = [(f"{key}:", tree[key]) for key in draw(st.permutations(list(tree)))]
    else:
        assert isinstance(tree, list)
        entries = [("-", entry) for entry in tree]
    deeper = pad + draw(st.sampled_from(["  ", "    "]))
    lines = []
    for start, value in entries:
        if isinstance(value, dict | list) and draw(st.booleans()):
            lines.append(f"{pad}{start}\n{draw(_block(value, deeper))}")
        else:
            comment = draw(st.sampled_from(["", "  # a comment", "\n\n# count: 3"]))
            lines.append(f"{pad}{start} {_flow(draw, value)}{comment}\n")
    return "".join(lines)


def _flow(draw: st.DrawFn, tree: object) -> str:
    if isinstance(tree, dict):
        keys = draw(st.permutations(list(tree)))
        return "{" + ", ".join(f"{key}: {_flow(draw, tree[key])}" for key in keys) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(_flow(draw, entry) for entry in tree) + "]"
    return _word(draw, tree)


def _word(draw: st.DrawFn, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    quoted = [json.dumps(text, ensure_ascii=False), "'" + text.replace("'", "''") + "'"]
    return draw(st.sampled_from(quoted if text.isdigit() else [*quoted, text]))
