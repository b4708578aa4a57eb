"""The real command line in a process of its own, forked from one that has imported everything.

Importing costs a second per process; a storm starts hundreds. The fork server imports this module
once, and each run is then a process that can be killed at any instant.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import cloudpemda.cli.progress
import cloudpemda.cli.provision
import cloudpemda.cli.tables
import cloudpemda.proxmox
import cloudpemda.usecases.apply
import cloudpemda.wiring


def context() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__])
    return found


def start(site: Path, actor: str, arguments: Sequence[str], told: Path) -> BaseProcess:
    """`cloudpemda --site SITE --actor ACTOR …` with its output in `told`; not waited for."""
    line = ["--site", str(site), "--actor", actor, *arguments]
    process = context().Process(target=_run, args=(line, told), daemon=True)
    process.start()
    return process


def _run(line: Sequence[str], told: Path) -> None:
    output = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    cloudpemda.cli.main(line)
