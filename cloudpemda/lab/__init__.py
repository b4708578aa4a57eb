"""A simulated Proxmox VE site: clusters that answer as PVE does, over real HTTPS on loopback.

It exists so that the demo, the tests and a cautious rehearsal need no hardware. It is as strict as
PVE (parameters, permissions, locks, space, tasks) and is never edited to fit our client: it imports
nothing of the rooms that talk to PVE, so that one misreading is not wrong in both places.
Everything happens on one clock, which can run fast, stand still, or be moved; whatever really
happened is written down, for tests to compare with what the program believed.

The tables of parameters are PVE's own declarations; all else is modelled behaviour: there is no
table of recorded answers. `process` starts and finds a lab and is light; serving one imports a web
server.
"""

from pathlib import Path


def serve_site(directory: Path, layout: Path | None = None) -> None:
    """Serve a whole site's lab in the foreground until SIGTERM or SIGINT.

    `directory` (0700) holds its state, certificates and tokens; a layout given once is kept there.
    Raises LabError for a bad layout, or a directory in which a lab runs already.
    """
    from cloudpemda.lab.serve import serve_site as serve

    serve(directory, layout)


def serve_recorded(
    version: str, host: str, port: int, root_password: str, directory: Path | None = None
) -> None:
    """Serve one cluster, `version` 8.4 or 9.2, in the state that PVE's recordings start from.

    All nodes answer through the first one's port. `directory` keeps the certificates.
    """
    from cloudpemda.lab.serve import serve_recorded as serve

    serve(version, (host, port), root_password, directory)


__all__ = ["serve_recorded", "serve_site"]
