"""A command beside the test, one of whose requests the lab holds up."""

import subprocess

from tests.patience import COMMAND
from tests.scenarios.conftest import OPERATOR, Office


def start_apply(office: Office, *words: str) -> subprocess.Popen[str]:
    return start_command(office, "apply", *words)


def start_command(office: Office, *words: str, actor: str = OPERATOR) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *COMMAND, "--site", str(office.directory), "--output", "json", "--actor", actor, *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def is_held(office: Office, process: subprocess.Popen[str]) -> bool:
    """Whether one of its requests is held up; not where it has ended."""
    while not office.lab.get("/holds"):
        try:
            process.wait(0.05)  # asked without a pause, the lab has no time for the process
        except subprocess.TimeoutExpired:
            continue
        return False
    return True


def until_held(office: Office, process: subprocess.Popen[str]) -> None:
    assert is_held(office, process), process.communicate()


def let_go(office: Office, *, answer: bool = True) -> None:
    for one in office.lab.get("/holds"):
        office.lab.post("/release", {"id": one["id"], "answer": answer})
