"""The document that means a specification: what `read` reads back as the same.

Texts are written in double quotes with JSON's escapes, which YAML shares: no word can be taken for
something else. What is the default is left out.
"""

import json
from collections.abc import Iterator

from cloudpemda.request.roles import RoleSpec
from cloudpemda.request.spec import DiskSpec, ExposeSpec, NicSpec, VmSpec, WorkloadSpec


def write(spec: WorkloadSpec) -> str:
    """A request document (YAML) for this specification."""
    return "\n".join(_lines(spec)) + "\n"


def _lines(spec: WorkloadSpec) -> Iterator[str]:
    letter, requester = spec.letter, spec.requester
    yield "apiVersion: cloudpemda/v1"
    yield "kind: VMRequest"
    yield "metadata:"
    yield f"  name: {_text(spec.name)}"
    yield f"  opd: {_text(spec.opd)}"
    yield f"  letter: {{number: {_text(letter.number)}, date: {letter.date}}}"
    yield "  requester:"
    yield f"    name: {_text(requester.name)}"
    yield f"    nip: {_text(requester.nip)}"
    yield f"    position: {_text(requester.position)}"
    yield f"    email: {_text(requester.email)}"
    yield "spec:"
    yield f"  purpose: {_text(spec.purpose)}"
    yield f"  serviceClass: {_text(spec.service_class)}"
    yield f"  until: {spec.until}"
    yield "  vms:"
    for vm in spec.vms:
        yield from _vm(vm)


def _vm(vm: VmSpec) -> Iterator[str]:
    yield f"    - name: {_text(vm.name)}"
    if vm.count != 1:
        yield f"      count: {vm.count}"
    if vm.keep_apart:
        yield "      keepApart: true"
    yield f"      image: {_text(vm.image)}"
    yield f"      cpu: {vm.cpu}"
    yield f"      memory: {_size(vm.memory)}"
    yield "      disks:"
    yield from (f"        - {_disk(disk)}" for disk in vm.disks)
    yield "      networks:"
    yield from (f"        - {_nic(nic)}" for nic in vm.networks)
    if vm.expose is not None:
        yield "      expose:" if vm.expose else "      expose: []"
        yield from (f"        - {_exposed(one)}" for one in vm.expose)
    if vm.roles:
        yield f"      roles: [{', '.join(role.name for role in vm.roles)}]"
        yield from (f"      {_settings(role)}" for role in vm.roles if role.settings)
    if vm.ssh_keys:
        yield "      sshKeys:"
        yield from (f"        - {_text(key)}" for key in vm.ssh_keys)


def _disk(disk: DiskSpec) -> str:
    bare = f"name: {_text(disk.name)}, size: {_size(disk.size)}, class: {_text(disk.storage_class)}"
    return f"{{{bare}}}" if disk.protect else f"{{{bare}, protect: false}}"


def _nic(nic: NicSpec) -> str:
    more = ", publicIp: true" if nic.public_ip else ""
    return f"{{name: {_text(nic.network)}{more}}}"


def _exposed(one: ExposeSpec) -> str:
    return f"{{port: {one.port}, protocol: {one.protocol}, from: {one.source}}}"


def _settings(role: RoleSpec) -> str:
    said = (
        f"{name}: {value if value.isdecimal() else _text(value)}" for name, value in role.settings
    )
    return f"{role.name}: {{{', '.join(said)}}}"


def _size(size: int) -> str:
    return f"{size // 1024} GiB" if size % 1024 == 0 else f"{size} MiB"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
