"""What really happened, for tests to compare with what the program believed.

One JSON object a line, in order: readable without any code of ours (docs/lab.md, Truth). A lab that
is kept writes its lines to a file whenever it saves its state, and forgets with it what came after.
"""

import json
from bisect import bisect_right
from pathlib import Path


class History:
    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._written, self._lines = 0, list[str]()  # bytes in the file; lines that are not yet
        self._marks = [(0, 0)]  # how many lines of the file lie before which byte, in order

    def add(self, when: float, what: str, values: dict[str, object]) -> None:
        row = {"at": when, "what": what, **values}
        self._lines.append(json.dumps(row, separators=(",", ":")))

    def lines(self, since: int = 0) -> list[str]:
        """From this one on, counted from 0: who asks often pays for what is new alone."""
        mark = bisect_right(self._marks, (since, self._written)) - 1
        before, start = self._marks[mark]
        written = b""
        if self.file is not None and start < self._written:
            with self.file.open("rb") as kept:
                kept.seek(start)
                written = kept.read(self._written - start)
        return [*written.decode("utf-8").splitlines(), *self._lines][since - before :]

    def keep(self) -> int:
        """Write what is not yet written; how many bytes there are."""
        if self.file is not None and self._lines:
            with self.file.open("a", encoding="utf-8") as out:
                out.writelines(f"{line}\n" for line in self._lines)
                self._written = out.tell()
            self._marks.append((self._marks[-1][0] + len(self._lines), self._written))
            self._lines.clear()
        return self._written

    def go_on(self, written: int) -> None:
        """Go on behind so many bytes of the file: what follows was never saved, and is not true."""
        if self.file is not None:
            self.file.touch(mode=0o600)
            with self.file.open("r+b") as out:
                out.truncate(written)
                count = out.read().count(b"\n") if written else 0
            self._marks = [(0, 0), (count, written)] if written else [(0, 0)]
        self._written = written
        self._lines.clear()
