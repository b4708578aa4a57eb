"""Files of the lab's directory: written whole or not at all, readable by their owner alone."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Replace a file atomically, mode 0600."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
