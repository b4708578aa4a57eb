"""`python -m cloudpemda.lab serve …`: a lab in the foreground."""

import argparse
import sys
from pathlib import Path

from cloudpemda.errors import CloudpemdaError
from cloudpemda.lab.serve import serve_recorded, serve_site
from cloudpemda.messages import explain, language


def main() -> int:
    parser = argparse.ArgumentParser(prog="cloudpemda.lab", description="simulated Proxmox VE")
    serve = parser.add_subparsers(required=True).add_parser("serve")
    serve.add_argument("--directory", type=Path)
    serve.add_argument("--layout", type=Path)
    serve.add_argument("--state", choices=["recorded"])
    serve.add_argument("--version", default="9.2")
    serve.add_argument("--listen", default="127.0.0.1:8006")
    serve.add_argument("--root-password", default="")
    args = parser.parse_args()
    try:
        if args.state is not None:
            host, _, port = args.listen.rpartition(":")
            serve_recorded(args.version, host, int(port), args.root_password, args.directory)
        elif args.directory is None:
            serve.error("--directory is needed")
        else:
            serve_site(args.directory, args.layout)
    except CloudpemdaError as error:
        for fault in error.faults:
            where = f"{fault.file}:{fault.line}:{fault.column} {fault.path} " if fault.file else ""
            told = explain(fault.code, language(None) or "en", fault.values)
            print(where + " ".join(filter(None, told)), file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
