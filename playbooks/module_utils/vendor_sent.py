"""What secrets the API was sent, known again and not kept: it never reads one back.

Beside the server itself a file says, root's alone and salted, which secret each object has from
us. Where it says another one, or nothing, the secret is sent: a token that was made anew reaches
who uses it.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLACE = Path("/var/lib/cloudpemda-sent")
_SALT = 16


class Sent:
    """The secret of one object."""

    def __init__(self, product: str, path: str, secret: Mapping[str, Any]) -> None:
        name = "-".join((product, *path.strip("/").split("/")))
        self._file = PLACE / name
        self._said = json.dumps(dict(secret), sort_keys=True).encode()
        self.empty = not any(str(one) for one in secret.values())

    def known(self) -> bool:
        """Whether it is the one that was sent last; nothing to send counts as sent."""
        if self.empty:
            return True
        try:
            there = self._file.read_bytes()
        except FileNotFoundError:
            return False
        return hmac.compare_digest(self._sealed(there[:_SALT]), there)

    def note(self) -> None:
        """It was sent."""
        if self.empty:
            return
        PLACE.mkdir(mode=0o700, exist_ok=True)
        new = self._file.with_name(f".{self._file.name}")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(self._sealed(os.urandom(_SALT)))
        new.replace(self._file)

    def _sealed(self, salt: bytes) -> bytes:
        return salt + hashlib.scrypt(self._said, salt=salt, n=2**14, r=8, p=1)
