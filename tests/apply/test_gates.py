"""Gates: never more inside than their width, first come first served, one per storage and node."""

from threading import Barrier, Event, Lock, Thread

from cloudpemda.apply.gates import FairGate, Gates
from cloudpemda.site.models import Limits


def test_a_gate_lets_in_its_width_and_serves_in_order() -> None:
    gate = FairGate(2)
    inside = 0
    most = 0
    order: list[int] = []
    guard = Lock()
    doors = [Event() for _ in range(8)]
    arrived = [Event() for _ in range(8)]

    def visit(number: int) -> None:
        nonlocal inside, most
        with gate:
            with guard:
                inside += 1
                most = max(most, inside)
                order.append(number)
            arrived[number].set()
            doors[number].wait(600)
            with guard:
                inside -= 1

    threads = []
    for number in range(8):
        thread = Thread(target=visit, args=(number,))
        thread.start()
        threads.append(thread)
        if number < 2:
            assert arrived[number].wait(600)
        else:
            while gate.waiting < number - 1:
                pass
    assert order == [0, 1]
    for number in range(8):
        doors[number].set()
        if number + 2 < 8:
            assert arrived[number + 2].wait(600)
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert most == 2


def test_a_visitor_that_fails_gives_its_place_free() -> None:
    gate = FairGate(1)
    for _ in range(3):
        try:
            with gate:
                raise RuntimeError
        except RuntimeError:
            continue
    with gate:
        pass


def test_a_local_storage_is_another_one_on_each_node_and_a_shared_one_is_not() -> None:
    gates = Gates(Limits(), frozenset({"ceph"}))
    assert gates.copy("pve1", "local-zfs") is gates.copy("pve1", "local-zfs")
    assert gates.copy("pve1", "local-zfs") is not gates.copy("pve2", "local-zfs")
    assert gates.copy("pve1", "ceph") is gates.copy("pve2", "ceph")
    assert gates.write("pve1") is not gates.write("pve2")


def test_many_threads_find_the_same_gate() -> None:
    gates = Gates(Limits(), frozenset())
    together = Barrier(16)
    found: list[FairGate] = []

    def ask() -> None:
        together.wait(600)
        found.append(gates.copy("pve1", "local-zfs"))

    threads = [Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(gate) for gate in found}) == 1
