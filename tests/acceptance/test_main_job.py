"""The main job on any site: one small VM asked for, approved, built, seen, and removed again.

Whatever happens, it asks for the removal of what it made, and says what is left if that fails.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.site import Site
from tests.acceptance.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqSvjOssEHZ6e1Fm3N3zGxP8r4rgJ0wpQFtd+i1DJDp acceptance"


@dataclass(frozen=True)
class Parts:
    """Who plays which part, and what is asked for."""

    operator: str
    auditor: str
    requester: str
    deciders: tuple[str, ...]
    document: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.document['metadata']['opd']}/{self.document['metadata']['name']}"


@pytest.fixture(scope="module")
def parts(site: Site) -> Parts:
    """The smallest VM that the site's own files allow somebody to ask for."""

    def logins(role: str) -> tuple[str, ...]:
        return tuple(
            one.login for one in site.people for granted in one.roles if granted.role == role
        )

    production = [name for name, one in site.info.clusters.items() if one.role == "production"]
    for person in site.people:
        for granted in person.roles:
            opd = site.opds.get(granted.opd or "")
            if granted.role != "requester" or opd is None or not opd.allow.networks:
                continue
            classes = site.catalogue.service_classes
            allowed = [name for name in classes if name in opd.allow.service_classes]
            images = [
                name for name, where in site.catalogue.images.items()
                if any(cluster in where for cluster in production)
            ]  # fmt: skip
            if not allowed or not images:
                continue
            easiest = min(allowed, key=lambda name: classes[name].weight)
            document = _document(
                person, opd.opd.code, easiest, images[0], opd.allow.networks[0],
                next(iter(site.info.storage_classes)),
            )  # fmt: skip
            deciders = dict.fromkeys((*logins("reviewer"), *logins("approver")))
            return Parts(
                logins("operator")[0], logins("auditor")[0], person.login,
                tuple(one for one in deciders if one != person.login), document,
            )  # fmt: skip
    pytest.skip("nobody in people.yaml may ask for a VM of an OPD with a network and a class")


def _document(
    person: Any, opd: str, service_class: str, image: str, network: str, storage: str
) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "VMRequest",
        "metadata": {
            "name": f"uji-{secrets.token_hex(3)}",
            "opd": opd,
            "letter": {"number": "UJI/1", "date": today},
            "requester": {
                "name": person.name,
                "nip": person.nip,
                "position": "Penguji",
                "email": "uji@example.go.id",
            },
        },
        "spec": {
            "purpose": "Uji penerimaan situs",
            "serviceClass": service_class,
            "until": today + timedelta(days=365),
            "vms": [
                {
                    "name": "uji",
                    "image": image,
                    "cpu": 1,
                    "memory": "1 GiB",
                    "disks": [{"name": "root", "size": "10 GiB", "class": storage}],
                    "networks": [{"name": network}],
                    "sshKeys": [_KEY],
                }
            ],
        },
    }


@pytest.fixture
def run(site: Site, parts: Parts) -> Iterator[Command]:
    """The command line; afterwards what it made is removed."""
    command = Command(site.directory)
    yield command
    command(parts.operator, "apply", "--undo", parts.key)
    command(parts.operator, "request", "retire", "--now", "--reason", "acceptance", parts.key)
    command(parts.requester, "request", "withdraw", parts.key)
    left = vms_of(command, parts)
    assert not left, f"left on the clusters, remove by `request retire --now`: {left}"


def vms_of(command: Command, parts: Parts) -> list[Any]:
    return [
        one
        for one in command.must(parts.auditor, "vm", "list")
        if str(one["key"]).startswith(f"{parts.key}/")
    ]


def test_a_vm_is_asked_for_built_protected_and_removed(
    run: Command, parts: Parts, tmp_path: Path
) -> None:
    doctor = run(parts.operator, "doctor")
    assert doctor.code == 0, doctor.err
    file = tmp_path / "uji.yaml"
    file.write_text(yaml.safe_dump(parts.document))
    run.must(parts.requester, "request", "check", str(file))
    run.must(parts.requester, "request", "submit", str(file))
    for decider in parts.deciders:
        run(decider, "request", "approve", parts.key)
    asked = {one["key"]: one for one in run.must(parts.auditor, "request", "list")}
    assert asked[parts.key]["state"] == "approved", asked[parts.key]

    run.must(parts.operator, "plan", parts.key)
    run.must(parts.operator, "apply", parts.key)
    (vm,) = vms_of(run, parts)
    assert vm["state"] == "active", vm
    again = run.must(parts.operator, "apply", parts.key)
    assert again is not None
    assert run(parts.operator, "drift").codes == (), "it is not as it was approved"

    run.must(parts.operator, "request", "retire", "--now", "--reason", "acceptance", parts.key)
    assert vms_of(run, parts) == []
    run.must(parts.auditor, "audit", "verify")
