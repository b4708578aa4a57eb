"""The latest moment that a lab's clock may have told anyone, kept over the lab's end.

What a lab did can be lost with its last seconds. What its clock said cannot be taken back: others
have dated their deeds by it, and do nothing by a clock that was set back. So the moment is kept
before an answer leaves. Of a clock that runs by itself a little more than was told is kept, so that
not every answer has to be written down: after a lab was killed its clock is ahead by that at most.
"""

import math
from pathlib import Path

from cloudpemda.lab.directory import write_secret


class Told:
    def __init__(self, file: Path | None = None, lead: float = 0.0) -> None:
        """`file` keeps it, none for a lab that is not kept; `lead` in lab seconds.

        Raises ValueError where the file holds no moment.
        """
        self.file, self.lead = file, lead
        self.until = -math.inf
        if file is not None and file.exists():
            self.until = float(file.read_text("ascii"))
            if not math.isfinite(self.until):
                raise ValueError(self.until)

    def tell(self, now: float) -> None:
        """An answer of this moment leaves."""
        if self.file is not None and now > self.until:
            self.until = now + self.lead
            write_secret(self.file, repr(self.until))

    def settle(self) -> None:
        """The lab's state is kept as of its last moment, which was told to nobody before."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
