"""What really happened, for tests to compare with what the program believed.

One JSON object a line, in order: readable without any code of ours (docs/lab.md, Truth). A lab that
is kept writes its lines to a file whenever it saves its state, and forgets with it what came after.
"""

import json
from pathlib import Path


class History:
    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._written, self._lines = 0, list[str]()  # bytes in the file; lines that are not yet

    def add(self, when: float, what: str, values: dict[str, object]) -> None:
        row = {"at": when, "what": what, **values}
        self._lines.append(json.dumps(row, separators=(",", ":")))

    def lines(self) -> list[str]:
        written = self.file.read_text("utf-8") if self.file and self._written else ""
        return [*written.splitlines(), *self._lines]

    def keep(self) -> int:
        """Write what is not yet written; how many bytes there are."""
        if self.file is not None and self._lines:
            with self.file.open("a", encoding="utf-8") as out:
                out.writelines(f"{line}\n" for line in self._lines)
                self._written = out.tell()
            self._lines.clear()
        return self._written

    def go_on(self, written: int) -> None:
        """Go on behind so many bytes of the file: what follows was never saved, and is not true."""
        if self.file is not None:
            self.file.touch(mode=0o600)
            with self.file.open("r+b") as out:
                out.truncate(written)
        self._written = written
        self._lines.clear()
