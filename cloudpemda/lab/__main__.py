"""`python -m cloudpemda.lab serve …`: a lab in the foreground."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import LabError, serve_recorded, serve_site


def main() -> int:
    parser = argparse.ArgumentParser(prog="cloudpemda.lab", description="simulated Proxmox VE")
    serve = parser.add_subparsers(required=True).add_parser("serve")
    serve.add_argument("--directory", type=Path)
    serve.add_argument("--layout", type=Path)
    serve.add_argument("--state", choices=["recorded"])
    serve.add_argument("--version", default="9.2")
    serve.add_argument("--listen", default="127.0.0.1:8006")
    serve.add_argument("--root-password")
    args = parser.parse_args()
    try:
        if args.state is None:
            if args.directory is None:
                serve.error("--directory is needed")
            serve_site(args.directory, args.layout)
            return 0
        host, _, port = args.listen.rpartition(":")
        with tempfile.TemporaryDirectory() as scratch:
            serve_recorded(
                args.version,
                (host, int(port)),
                args.root_password or "",
                args.directory or Path(scratch),
            )
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
