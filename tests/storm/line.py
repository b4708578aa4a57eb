"""The command line in a history: in this process, or in one that may die."""

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpemda.cli
from tests.storm import worker
from tests.storm.history import RUN_SECONDS, History

KILLED = -9


@dataclass(frozen=True)
class Answer:
    """What one command did."""

    code: int
    data: Any
    faults: tuple[Mapping[str, Any], ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(fault["code"] for fault in self.faults)


@dataclass
class Line(History):
    """A history whose people use the command line."""

    def _call(self, login: str, *words: str) -> Answer:
        """The command line in this process."""
        out, told = io.StringIO(), io.StringIO()
        line = ["--site", str(self.site), "--output", "json", "--lang", "en", "--actor", login]
        with redirect_stdout(out), redirect_stderr(told):
            try:
                cloudpemda.cli.main([*line, *words])
            except SystemExit as ended:
                code = int(ended.code or 0)
        said = json.loads(out.getvalue())
        answer = Answer(code, said["data"], tuple(said["faults"]))
        codes = answer.codes
        self._say(f"$ {login}: {' '.join(words)} → {code} {' '.join(codes)}\n{told.getvalue()}")
        assert code not in {1, 2}, f"{login}: {' '.join(words)} ended with {code}"
        if code in {4, 5}:
            self.tally[f"refused: {codes[0]}"] += 1
        return answer

    def _begun_deed(self, login: str, *words: str, dies_at: int | None = None) -> BaseProcess:
        self._say(f"$ {login}: {' '.join(words)}, dies at {dies_at}")
        return worker.start(self.site, login, words, self._output, dies_at)

    def _ended(self, run: BaseProcess) -> int:
        run.join(RUN_SECONDS)
        assert run.exitcode is not None, "a run hangs"
        assert run.exitcode not in {1, 2}, f"a run ended with {run.exitcode}"
        self._say(f"ended with {run.exitcode}")
        return run.exitcode

    def _say(self, line: str) -> None:
        with self._output.open("a") as out:
            out.write(f"{line}\n")
