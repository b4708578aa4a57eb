"""From a document to what it means: the one way in for requests."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from cloudpemda.document import Source, examine, load, load_bytes, shown
from cloudpemda.document.source import first_of
from cloudpemda.errors import InvalidInput
from cloudpemda.request.meaning import complain
from cloudpemda.request.quota_request import KIND, QuotaRequest, QuotaSpec, meaning_of
from cloudpemda.request.roles import RoleSpec
from cloudpemda.request.schema import (
    DiskModel,
    ExposeModel,
    NginxModel,
    PostgresqlModel,
    VmModel,
    VmRequest,
)
from cloudpemda.request.spec import (
    DiskSpec,
    ExposeSpec,
    Letter,
    NicSpec,
    Requester,
    VmSpec,
    WorkloadSpec,
)
from cloudpemda.units import Cores, MiB

VM_KIND = "VMRequest"


class FlavorLike(Protocol):
    """What the catalogue says of a flavor."""

    @property
    def cpu(self) -> int: ...

    @property
    def memory(self) -> MiB: ...


def read(path: Path, flavors: Mapping[str, FlavorLike], name: str | None = None) -> WorkloadSpec:
    """Read a request file; `name` (the path) is what faults call it. Raises InvalidInput with
    all faults in the order of the text."""
    return _spec(load(path, name), flavors)


def read_any(data: bytes, name: str, flavors: Mapping[str, FlavorLike]) -> WorkloadSpec | QuotaSpec:
    """Read a request of whichever kind it says it is. Raises InvalidInput with all faults."""
    source = load_bytes(data, name)
    if source.get("kind") != KIND:
        return _spec(source, flavors)
    examined = examine(source, QuotaRequest, ())
    if examined.model is None:
        raise InvalidInput(first_of(examined.faults))
    return meaning_of(examined.model)


def _spec(source: Source, flavors: Mapping[str, FlavorLike]) -> WorkloadSpec:
    complaints = complain(source, flavors)
    kind = source.get("kind")
    if isinstance(kind, str) and kind != VM_KIND:
        choices = f"{VM_KIND}, {KIND}"
        complaints.add("document.choice", ("kind",), value=shown(kind), choices=choices)
        complaints.silent_at.add(("kind",))
    examined = examine(source, VmRequest, complaints.silent_at)
    if examined.model is None or complaints.faults:
        raise InvalidInput(first_of([*examined.faults, *complaints.faults]))
    return canonical(examined.model, flavors)


def canonical(request: VmRequest, flavors: Mapping[str, FlavorLike]) -> WorkloadSpec:
    """The meaning of a valid request: defaults filled in, flavors expanded, entries by name."""
    about, spec = request.metadata, request.spec
    return WorkloadSpec(
        opd=about.opd,
        name=about.name,
        purpose=spec.purpose,
        service_class=spec.service_class,
        until=spec.until,
        letter=Letter(about.letter.number, about.letter.date),
        requester=Requester(
            name=about.requester.name,
            nip=about.requester.nip,
            position=about.requester.position,
            email=about.requester.email,
        ),
        vms=tuple(_vm(vm, flavors) for vm in sorted(spec.vms, key=lambda vm: vm.name)),
    )


def _vm(vm: VmModel, flavors: Mapping[str, FlavorLike]) -> VmSpec:
    if vm.flavor is not None:
        cpu, memory = flavors[vm.flavor].cpu, flavors[vm.flavor].memory
    else:
        assert vm.cpu is not None  # noqa: S101 - `meaning` refused a VM without a size
        assert vm.memory is not None  # noqa: S101
        cpu, memory = vm.cpu, vm.memory
    return VmSpec(
        name=vm.name,
        count=vm.count,
        keep_apart=vm.keep_apart,
        image=vm.image,
        cpu=Cores(cpu),
        memory=memory,
        disks=tuple(
            DiskSpec(disk.name, disk.size, disk.class_, disk.protect)
            for disk in sorted(vm.disks, key=_root_first)
        ),
        networks=tuple(
            NicSpec(nic.name, nic.public_ip) for nic in sorted(vm.networks, key=lambda n: n.name)
        ),
        ssh_keys=tuple(sorted(set(vm.ssh_keys))),
        expose=None if vm.expose is None else _exposed(vm.expose),
        roles=_roles(vm),
    )


def _exposed(entries: Iterable[ExposeModel]) -> tuple[ExposeSpec, ...]:
    return tuple(sorted({ExposeSpec(one.port, one.protocol, one.from_) for one in entries}))


def _roles(vm: VmModel) -> tuple[RoleSpec, ...]:
    """By name, each once, with those of its settings that are said."""
    settings = {"nginx": vm.nginx, "postgresql": vm.postgresql}
    return tuple(RoleSpec(name, _settings(settings[name])) for name in sorted(set(vm.roles)))


def _settings(model: NginxModel | PostgresqlModel | None) -> tuple[tuple[str, str], ...]:
    said = {} if model is None else model.model_dump(by_alias=True, exclude_none=True)
    return tuple(sorted((name, str(value)) for name, value in said.items()))


def _root_first(disk: DiskModel) -> tuple[bool, str]:
    return disk.name != "root", disk.name
