"""Settings that nothing in the lab acts on: metric servers, hardware mappings, CPU models."""

from cloudpemda.lab.routes import Row
from cloudpemda.lab.sections import File, held_at
from cloudpemda.lab.state import Section
from cloudpemda.lab.world import Call

RIGHTS = ("Mapping.Modify", "Mapping.Use", "Mapping.Audit")


def _model(call: Call, model: Section) -> Row:
    return {"cputype": model.name, **model.options}


CPU_MODELS = File(
    path="/cluster/qemu/custom-cpu-models", key="cputype", brief=_model, got=_model,
    visible=held_at("/mapping/cpu", *RIGHTS), missing="Custom cputype '{}' not found",
).serve()  # fmt: skip

File(
    path="/cluster/metrics/server", key="id", made_at="/cluster/metrics/server/{id}",
    taken="Metric server '{}' already exists", missing="status server entry '{}' does not exist",
    show=lambda call, server: {"disable": int(server.options.get("disable", 0))}, signed=("get",),
    fixed=frozenset({"token"}), lock="file-status_cfg",  # the token goes to a file that none shows
).serve()  # fmt: skip

for _kind in ("dir", "pci", "usb"):
    File(
        path=f"/cluster/mapping/{_kind}", key="id", kind=_kind, fixed=frozenset({"check-node"}),
        visible=held_at(f"/mapping/{_kind}", *RIGHTS), prefix="{} hardware mapping failed: ",
        lock=f"file-mapping_{'directory' if _kind == 'dir' else _kind}_cfg",
        taken=_kind + " ID '{}' already defined", missing="mapping '{}' not found",
    ).serve()  # fmt: skip
