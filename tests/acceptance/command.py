"""The installed command line, run as its users run it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    code: int
    data: Any
    codes: tuple[str, ...]
    err: str


@dataclass(frozen=True)
class Command:
    """`cloudpemda` on one site."""

    site: Path

    def __call__(self, actor: str, *words: str) -> Answer:
        whole = [sys.executable, "-m", "cloudpemda", "--site", str(self.site), "--output", "json"]
        done = subprocess.run(
            [*whole, "--actor", actor, *words], capture_output=True, text=True, check=False
        )
        said = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        codes = tuple(one["code"] for one in said.get("faults", ()))
        return Answer(done.returncode, said.get("data"), codes, done.stderr)

    def must(self, actor: str, *words: str) -> Any:
        """Its data. Raises AssertionError where it does not end well."""
        answer = self(actor, *words)
        line = " ".join(words)
        assert answer.code == 0, f"{line}: {answer.code} {answer.codes}\n{answer.err[-2000:]}"
        return answer.data
