"""The program with the patience that a busy machine needs.

How long it waits for an answer is real time. A test that holds a request up, or that shares two
cores with seven other processes, must not depend on it: what it proves is told in the lab's time.
Whoever imports this waits so in its own process; `COMMAND` begins the command line of another.
"""

import sys

from cloudpemda.proxmox import transport

PATIENCE = 600.0  # seconds: who takes longer hangs, whatever else the machine does

transport.CONNECT_SECONDS = transport.READ_SECONDS = PATIENCE

COMMAND = (
    sys.executable,
    "-c",
    "from cloudpemda.cli import main; from cloudpemda.proxmox import transport; "
    f"transport.CONNECT_SECONDS = transport.READ_SECONDS = {PATIENCE}; main()",
)
