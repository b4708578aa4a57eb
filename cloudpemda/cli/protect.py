"""`cloudpemda protect …`: the protection of VMs, and keeping it as promised."""

import click

from cloudpemda.cli.protection import status


@click.group()
def protect() -> None:
    """What protects the VMs: HA, replication, backups."""


protect.add_command(status)
