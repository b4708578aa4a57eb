"""cloudpemda: a regency government's private cloud on Proxmox VE.

Agencies hand in YAML requests; cloudpemda checks them, holds quota, records approvals, places
the VMs, builds them through the Proxmox API, protects them, and proves afterwards who got what.

The folder list is the data flow, and imports go down only (`import-linter` in `pyproject.toml`
holds the order): request → rules → offer → approval → placement → plan → apply → verify → report.
"""

__version__ = "0.1.0"
