"""`python -m cloudpemda.lab serve …`: a lab in the foreground."""

import argparse
import sys
from pathlib import Path

from cloudpemda.errors import CloudpemdaError, UsageError
from cloudpemda.lab.serve import serve_recorded, serve_site
from cloudpemda.messages import explain, language


def main() -> int:
    parser = argparse.ArgumentParser(prog="cloudpemda.lab", description="simulated Proxmox VE")
    serve = parser.add_subparsers(required=True).add_parser("serve")
    serve.add_argument("--directory", type=Path, help="where the lab keeps its state")
    serve.add_argument("--layout", type=Path, help="a YAML file with its clusters (docs/lab.md)")
    serve.add_argument("--state", choices=["recorded"], help="one cluster as it was recorded:")
    serve.add_argument("--version", default="9.2", help="8.4 or 9.2 (default)")
    serve.add_argument("--listen", default="127.0.0.1:8006", help="HOST:PORT")
    serve.add_argument("--root-password", default="", help="of root@pam")
    args = parser.parse_args()
    try:
        if args.state is not None:
            host, _, port = args.listen.rpartition(":")
            if not host or not port.isdigit():
                raise UsageError("lab.listen", listen=args.listen)
            if not args.root_password:
                raise UsageError("lab.password-missing")
            serve_recorded(args.version, host, int(port), args.root_password, args.directory)
        elif args.directory is None:
            serve.error("--directory is needed")
        else:
            serve_site(args.directory, args.layout)
    except CloudpemdaError as error:
        for fault in error.faults:
            place = (fault.file, fault.line, fault.column)
            where = ":".join(str(part) for part in place if part is not None)
            told = explain(fault.code, language(None) or "en", fault.values)
            print(*filter(None, (where, fault.path, *told)), file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
