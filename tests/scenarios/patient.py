"""The command line, for a process one of whose requests a test holds up.

The program gives up on an answer after its own time, and asks again: a test that meanwhile does
other things would then, on a slow machine, hold up nobody any more.
"""

from cloudpemda.cli import main
from cloudpemda.proxmox import transport

transport.READ_SECONDS = 3600.0

if __name__ == "__main__":
    main()
