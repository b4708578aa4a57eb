"""What a VM that others made would be called, and how several become workloads."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.plan.adoption import MOST_KINDS, Takeable, group, schema_name
from cloudpemda.plan.model import AsFound
from cloudpemda.request.spec import ADOPTED, VmSpec
from cloudpemda.units import Cores, MiB


def takeable(vmid: int, name: str, **more: Any) -> Takeable:
    kind = VmSpec(
        schema_name(name, f"vm-{vmid}"), 1, False, ADOPTED, Cores(1), MiB(1024), (), (), ()
    )
    facts = AsFound("uuid=x", 1, (), (), (), "")
    made = Takeable(vmid, "pve1", name, None, kind, (), {}, (), facts, None, running=True)
    return replace(made, **more)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SIMRS_DB.local", "simrs-db-local"),
        ("01-web", "vm-01-web"),
        ("--", "vm-7"),
        ("é" * 3, "vm-7"),
        ("a" * 40, "a" * 32),
        ("a" * 31 + "-b", "a" * 31),
    ],
)
def test_names_become_names_of_the_schema(text: str, name: str) -> None:
    assert schema_name(text, "vm-7") == name


def test_each_vm_is_a_workload_where_no_name_is_said() -> None:
    found = group([takeable(102, "web"), takeable(101, "web")], "dinkes", None, {"web"})
    assert [(name, [vm.vmid for vm in members]) for name, members in found] == [
        ("web-2", [101]), ("web-3", [102]),
    ]  # fmt: skip
    assert {vm.kind.name for _, members in found for vm in members} == {"vm"}


def test_a_list_names_workloads() -> None:
    vms = [takeable(101, "a", workload="simrs"), takeable(102, "b"), takeable(103, "c",
           workload="simrs")]  # fmt: skip
    found = group(vms, "dinkes", None, ())
    assert [(name, [vm.vmid for vm in members]) for name, members in found] == [
        ("simrs", [101, 103]), ("b", [102]),
    ]  # fmt: skip


@given(
    st.lists(st.text(max_size=50), min_size=1, max_size=70),
    st.one_of(st.none(), st.just("lama")),
    st.sets(st.sampled_from(["lama", "lama-2", "web"])),
)
def test_no_vm_is_lost_and_no_name_stands_twice(
    names: list[str], name: str | None, used: set[str]
) -> None:
    vms = [takeable(100 + number, one) for number, one in enumerate(names)]
    found = group(vms, "dinkes", name, used)
    workloads = [one for one, _ in found]
    assert len(set(workloads)) == len(workloads)
    assert not set(workloads) & used
    assert sorted(vm.vmid for _, members in found for vm in members) == [vm.vmid for vm in vms]
    for workload, members in found:
        kinds = [vm.kind.name for vm in members]
        assert len(set(kinds)) == len(kinds) <= MOST_KINDS
        assert all(len(f"dinkes-{workload}-{kind}-1") <= 63 for kind in kinds)
