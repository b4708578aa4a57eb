"""Small settings of the cluster that nothing in the lab acts on: metric servers, mappings."""

from cloudpemda.lab.sections import File, held_at

File(
    path="/cluster/metrics/server", key="id", made_at="/cluster/metrics/server/{id}",
    taken="Metric server '{}' already exists", missing="status server entry '{}' does not exist",
    show=lambda call, server: {"disable": int(server.options.get("disable", 0))}, signed=("get",),
).serve()  # fmt: skip


RIGHTS = ("Mapping.Modify", "Mapping.Use", "Mapping.Audit")
for _kind in ("dir", "pci", "usb"):
    File(
        path=f"/cluster/mapping/{_kind}", key="id", kind=_kind, fixed=frozenset({"check-node"}),
        visible=held_at(f"/mapping/{_kind}", *RIGHTS), prefix="{} hardware mapping failed: ",
        taken=_kind + " ID '{}' already defined", missing="mapping '{}' not found",
    ).serve()  # fmt: skip
