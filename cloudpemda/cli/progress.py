"""Live progress of an apply on stderr, and Ctrl-C as a wish to stop between two requests."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame


@contextmanager
def counting(frame: "Frame") -> Iterator[Callable[[int, int, str], None]]:
    """A bar for work in countable steps: `tell(done, of, what)`. Silent where nobody watches."""
    console = frame.err
    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total} {task.fields[at]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, at="")
        yield lambda done, of, what: bar.update(task, completed=done, total=of, at=what)


class Live:
    """One bar per VM. The first Ctrl-C or SIGTERM asks the apply to stop at its next safe point;
    the second one ends the process at once, which the journal allows at any instant."""

    def __init__(self, frame: "Frame") -> None:
        console = frame.err
        self._frame = frame
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._stop = False
        self._before: dict[signal.Signals, signal.Handlers | object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.getsignal(number)
            signal.signal(number, self._asked_to_stop)
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def progress(self, key: str, step: str, state: str, fraction: float) -> None:
        """Called from the apply's threads."""
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(key, total=1.0, step="")
        self._bars.update(self._tasks[key], completed=fraction, step=f"{step} {state}")
        if not self._console.is_terminal and state in ("done", "failed", "stuck", "undone"):
            self._console.print(f"{key}: {step} {state}")

    def halted(self) -> bool:
        return self._stop

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            self._frame.abandon("apply.interrupted")
        self._stop = True
        self._console.print(self._frame.say("show.stopping"))
