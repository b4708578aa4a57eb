"""Proxmox's own API through its command on the node: `pvesh`, or `proxmox-backup-debug api`.

A list that cannot be read ends the task: what is unknown is never taken for absent. What is there
is compared by value, so that a second run changes nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PROGRAMS = {"pve": ("pvesh",), "pbs": ("proxmox-backup-debug", "api")}


def words(values: Mapping[str, Any]) -> list[str]:
    """Values as options of the command; a list is several values of one."""
    found = []
    for key, value in values.items():
        found += [f"--{key}", text(value)]
    return found


def text(value: Any) -> str:
    """A value as the command takes it: true is 1, a list is joined, pairs become key=value."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Mapping):
        return ",".join(f"{key}={text(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(text(one) for one in value)
    return str(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: order within a list, and how true is written, do not
    count."""

    def parts(value: Any) -> set[str]:
        whole = {"true": "1", "false": "0"}.get(text(value).strip().lower(), text(value).strip())
        return {part.strip() for part in whole.split(",")}

    return parts(one) == parts(other)


def different(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """What must be sent so that `there` becomes as wanted. A switch that is off may be left out."""
    return {
        key: value
        for key, value in wanted.items()
        if not same(value, there.get(key, False if isinstance(value, bool) else ""))
    }


def merged(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Of datacenter.cfg's keys those to be written, whole; parts that nobody asked for stay."""
    found = {}
    for key, value in wanted.items():
        before = there.get(key)
        after = value
        if isinstance(value, Mapping):
            kept = before if isinstance(before, Mapping) else _pairs(before)
            after = {**kept, **value}
            before = kept
        if not same(after, before if before is not None else ""):
            found[key] = after
    return found


def _pairs(value: Any) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text(value or "").split(",") if "=" in part)


def guests() -> list[str]:
    """Guests whose configuration lies on this node; a member of a cluster sees its own alone."""
    node = Path("/etc/pve/local")
    return sorted(
        f"{kind}/{one.stem}"
        for kind in ("qemu-server", "lxc")
        for one in (node / kind).glob("*.conf")
    )


def below_root(path: str) -> bool:
    """Whether a path lies, or would lie, on the root's file system."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    return place.stat().st_dev == Path("/").stat().st_dev


def lost(api: "Api", asked: Mapping[str, Any], variable: str) -> Iterator[str]:
    """Of the `tokens` those that are there while the file of their secret is not, each with what to
    do next."""
    users = {str(one.get("userid")) for one in api.get("/access/users") or []}
    for one, file, kept in zip(asked["tokens"], asked["files"], asked["kept"], strict=True):
        user, name = one["user"], one["token"]
        if kept or user not in users:
            continue
        there = api.get(f"/access/users/{user}/token") or []
        if {name, f"{user}!{name}"} & {x.get("tokenid", x.get("token-name")) for x in there}:
            yield (
                f"token {user}!{name} is there, and the file of its secret, {file} on the "
                f"machine that runs this, is not: put the file back, or set {variable}: true for "
                "one run; whoever uses the old secret is locked out then"
            )


class Api:
    """The API of the node that the task runs on."""

    def __init__(self, module: Any, product: str = "pve") -> None:
        self._module = module
        self._program = PROGRAMS[product]

    def get(self, path: str) -> Any:
        """What stands at a path; ends the task where it cannot be read."""
        return self._said("get", path, ["--output-format", "json"])

    def find(self, path: str, key: str, name: str) -> dict[str, Any] | None:
        """The object of a list whose `key` is `name`; None when the list was read and has none."""
        found: Iterable[dict[str, Any]] = self.get(path) or []
        return next((one for one in found if str(one.get(key)) == name), None)

    def write(self, verb: str, path: str, values: Mapping[str, Any]) -> Any:
        """`create`, `set` or `delete` with these values; what the API answered, where it did."""
        return self._said(verb, path, [*words(values), "--output-format", "json"], strict=False)

    def _said(self, verb: str, path: str, more: list[str], *, strict: bool = True) -> Any:
        if self._module.get_bin_path(self._program[0]) is None:
            self._module.fail_json(
                msg=f"{self._program[0]} is not here: this server lacks Proxmox's packages, which "
                "`cloudpemda nodes configure proxmox` installs; then run this again"
            )
        rc, out, err = self._module.run_command([*self._program, verb, path, *more])
        if rc != 0:
            self._module.fail_json(
                msg=f"{' '.join(self._program)} {verb} {path}: {err.strip() or out.strip()}", rc=rc
            )
        try:
            # A task that the command waited for writes its log before its answer.
            return json.loads(out if strict else out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            if strict:
                self._module.fail_json(msg=f"{path} answered what is no JSON: {out[:200]}")
            return None
