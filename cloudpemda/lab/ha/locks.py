"""The cluster's locks, and the watchdogs that make it safe to take another's."""

from cloudpemda.lab.ha.values import LOCK_SECONDS, Lock, Surroundings


def take(site: Surroundings, name: str, node: str) -> bool:
    """Take a lock or renew it; a watchdog of the same daemon is renewed with it."""
    if not site.nodes().get(node):
        return False
    now, held = site.now(), site.ha.locks.get(name)
    if held is not None and held.node != node and now - held.renewed <= LOCK_SECONDS:
        return False
    site.ha.locks[name] = Lock(node, now)
    return True


def release(site: Surroundings, name: str, node: str) -> None:
    held = site.ha.locks.get(name)
    if held is not None and held.node == node and site.nodes().get(node):
        del site.ha.locks[name]


def guard(site: Surroundings, daemon: str) -> None:
    """Open the watchdog of a daemon, or renew it."""
    site.ha.watchdogs[daemon] = site.now()


def renew(site: Surroundings, daemon: str) -> None:
    if daemon in site.ha.watchdogs:
        guard(site, daemon)
