"""Proxmox Backup Server, simulated: datastores that several clusters write to, and what it does.

A backup server is a world like a cluster's, of one node with users and tasks, and no guests: clock,
workers, access, faults and parameter checks are the same code. `vault` does the work: backups come
in from a cluster's storage of type `pbs` and are seen through every such storage; jobs copy them
from another server, verify, prune, and collect garbage. `api` is how it is asked, `server` how
that is different from PVE's HTTP.
"""
