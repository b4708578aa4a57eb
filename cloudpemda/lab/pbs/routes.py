"""Which code answers which of a backup server's paths."""

from collections.abc import Callable

from cloudpemda.lab.routes import Answering, Handler

PBS: dict[str, Handler] = {}


def pbs_route(*names: str) -> Callable[[Answering], Answering]:
    """Declare the handler of `METHOD /path`s of a backup server."""

    def register(handler: Answering) -> Answering:
        PBS.update(dict.fromkeys(names, handler))
        return handler

    return register
