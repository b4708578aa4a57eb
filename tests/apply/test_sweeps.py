"""The three sweeps over the real chain of a VM, on the lab: every step, on 8 and on 9."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cloudpemda.apply.workload import Run
from cloudpemda.saga import Chain
from tests.apply.rig import Rig, desired, layout, rig
from tests.saga.sweeps import Sweeps


@pytest.fixture(scope="module", params=["8.4", "9.2"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("sweeps"), layout(request.param)) as found:
        yield found


@dataclass
class OneVm:
    """A cluster in which one fully protected VM is made, beside one that stands there already."""

    rig: Rig

    def chain(self) -> Chain:
        vms = (desired(1),)
        (chain,) = Run(vms, self.rig.tools(vms)).chains()
        return chain

    def show(self) -> object:
        configs = {
            vmid: {key: value for key, value in vm["config"].items() if key not in _RANDOM}
            | {"status": vm["status"]}
            for vmid, vm in self.rig.control.vms().items()
        }
        return {**self.rig.left(), "configs": configs}


_RANDOM = frozenset({"vmgenid", "smbios1", "meta"})


@pytest.mark.parametrize("sweep", ["repeat_each_step", "fail_at_each_step", "undo_twice"])
def test_the_chain_of_a_vm_survives_every_sweep(shared: Rig, sweep: str) -> None:
    neighbour = desired(2)

    def fresh() -> OneVm:
        found = shared.fresh()
        found.apply(neighbour)
        return OneVm(found)

    getattr(Sweeps(fresh), sweep)()
