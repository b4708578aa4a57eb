"""Small settings of the cluster that nothing in the lab acts on: metric servers, mappings."""

from cloudpemda.lab.sections import File
from cloudpemda.lab.state import Section
from cloudpemda.lab.world import Call

METRICS = File(
    path="/cluster/metrics/server", key="id", made_at="/cluster/metrics/server/{id}",
    taken="Metric server '{}' already exists", missing="status server entry '{}' does not exist",
    show=lambda call, server: {"disable": int(server.options.get("disable", 0))}, signed=("get",),
).serve()  # fmt: skip


def _mapping(kind: str) -> File:
    def seen(call: Call, mapping: Section) -> bool:
        rights = ("Mapping.Modify", "Mapping.Use", "Mapping.Audit")
        return call.may(f"/mapping/{kind}/{mapping.name}", *rights, any_of=True)

    return File(
        path=f"/cluster/mapping/{kind}", key="id", kind=kind, visible=seen,
        fixed=frozenset({"check-node"}), prefix="{} hardware mapping failed: ",
        taken=f"{kind} ID '{{}}' already defined", missing="mapping '{}' not found",
    ).serve()  # fmt: skip


DIRECTORIES, PCI, USB = map(_mapping, ("dir", "pci", "usb"))
