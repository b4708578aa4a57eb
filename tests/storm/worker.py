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
from signal import SIGKILL

from sqlalchemy import Engine, event

import cloudpemda.cli.progress
import cloudpemda.cli.provision
import cloudpemda.cli.status_tables
import cloudpemda.proxmox
import cloudpemda.usecases.apply
import cloudpemda.wiring
import tests.patience  # noqa: F401 - others hold its requests up


def context() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__, "tests.storm.warm", "pytest"])
    return found


def start(
    site: Path, actor: str, arguments: Sequence[str], told: Path, dies_at: int | None = None
) -> BaseProcess:
    """`cloudpemda --site SITE --actor ACTOR …` with its output in `told`; not waited for.

    With `dies_at` it is killed before its nth statement, commit or renaming of a file.
    """
    line = ["--site", str(site), "--actor", actor, *arguments]
    process = context().Process(target=_run, args=(line, told, dies_at), daemon=True)
    process.start()
    return process


def _run(line: Sequence[str], told: Path, dies_at: int | None) -> None:
    if dies_at is not None:
        _die_at(dies_at)
    output = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    cloudpemda.cli.main(line)


def _die_at(nth: int) -> None:
    """Take this process away as a power cut does, before something that would have lasted."""
    left = nth

    def moment(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), SIGKILL)

    event.listen(Engine, "before_cursor_execute", moment)
    event.listen(Engine, "commit", moment)

    def touched(name: str, more: tuple[object, ...]) -> None:
        head = name == "open" and str(more[0]).endswith("audit.head") and more[2]
        if name == "os.rename" or head:  # opened to write it
            moment()

    sys.addaudithook(touched)
