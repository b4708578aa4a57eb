"""Messages to people through apprise: mail, Telegram, webhooks, by URLs that hold secrets.

Nothing of a URL is ever told or logged: not by us, and apprise's own log is silenced.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudpemda.errors import Refused

if TYPE_CHECKING:
    from apprise import Apprise

_SILENT = logging.CRITICAL + 1


def known(url: str) -> bool:
    """Whether apprise can send to such a URL. Raises Refused `notify.no-apprise`."""
    with _quiet():
        return bool(_door([url]))


def deliver(urls: Sequence[str], title: str, body: str) -> bool:
    """Send one message to every URL; whether all took it. Raises Refused
    `notify.no-apprise`."""
    with _quiet():
        door = _door(urls)
        try:
            return len(door) == len(urls) and bool(door.notify(title=title, body=body))
        except Exception:  # noqa: BLE001 - of 100 services' code; its text may hold the URL
            return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Without apprise's own warnings and log."""
    logging.getLogger("apprise").setLevel(_SILENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_addresses(url: str, addresses: Sequence[str]) -> str:
    """The same mail server's URL with these recipients."""
    joined = "?" if "?" not in url else "&"
    return f"{url}{joined}to={quote(','.join(addresses), safe='')}"


def _door(urls: Sequence[str]) -> "Apprise":
    try:
        import apprise
    except ImportError as error:
        raise Refused("notify.no-apprise") from error
    door = apprise.Apprise()
    for url in urls:
        door.add(url)
    return door
