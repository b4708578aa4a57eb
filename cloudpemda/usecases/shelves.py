"""Shelves: the OPDs' folders of an inbox, and what lies in them, before any of it is read.

Who may write into a folder asks for its OPD, so the inbox itself must be ours alone. How much one
folder may hold is bounded: whoever fills theirs takes no time and no memory from the others.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.document import shown
from cloudpemda.document.files import LARGEST
from cloudpemda.document.folder import Folder, Look
from cloudpemda.errors import Fault, InvalidInput, Refused
from cloudpemda.report.reply import INDEX, REPLY
from cloudpemda.usecases.desk import Desk

MOST_FILES = 5000
"""In one folder. More is a mistake, or meant to keep us busy."""

MOST_MIB = 32
"""Of documents in one folder; those beyond, in the order of their names, are not read."""

LONGEST_NAME = 200
"""Bytes of a file's name: its reply's is longer, and file systems end at 255."""


@dataclass(frozen=True)
class Sheet:
    """A document in a folder, as it was seen."""

    name: str
    seen: Look
    beyond: bool  # of what is read in one folder

    @property
    def nameable(self) -> bool:
        """Whether its name may stand in the ledger and a reply be named after it."""
        return self.name.isprintable() and len(self.name.encode()) <= LONGEST_NAME


@dataclass(frozen=True)
class Shelf:
    """One OPD's folder."""

    opd: str
    folder: Folder
    sheets: tuple[Sheet, ...]
    replies: tuple[str, ...]  # files called like a reply
    strange: tuple[str, ...]  # names that are not taken for documents

    def called(self, name: str) -> str:
        """A file as people are told of it; its name is text from outside."""
        return f"{self.opd}/{shown(name)}"


def _names_count(desk: Desk) -> bool:
    """Whether who may write into a folder is a question of somebody's account."""
    return desk.site.info.site.identity == "login"


def require_own_hands(desk: Desk, root: Folder) -> None:
    """Whoever can put a folder into the inbox can call it like any OPD.

    Raises Refused `inbox.open-root` where that is anybody but root and the account that runs.
    """
    seen = root.itself
    foreign = seen.owner not in {0, os.geteuid()}
    if _names_count(desk) and (foreign or seen.mode & (stat.S_IWGRP | stat.S_IWOTH)):
        values = _open_to("inbox.open-root", seen, root.name).values
        raise Refused("inbox.open-root", directory=root.name, **values)


def _open_to(code: str, seen: Look, name: str) -> Fault:
    values = {"mode": f"{stat.S_IMODE(seen.mode):04o}", "owner": seen.owner}
    return Fault(code, MappingProxyType(values), file=name)


def shelves(desk: Desk, root: Folder, held: ExitStack, findings: list[Fault]) -> Iterator[Shelf]:
    """The OPDs' folders; what lies beside them and looks like a document is a finding."""
    known = MappingProxyType({"known": ", ".join(sorted(desk.site.opds))})
    for name in root.names(MOST_FILES):
        if name.startswith("."):
            continue
        try:
            if name in desk.site.opds:
                folder = held.enter_context(root.below(name))
                if _names_count(desk) and folder.itself.mode & stat.S_IWOTH:
                    findings.append(_open_to("inbox.open-folder", folder.itself, name))
                else:
                    yield _shelf(name, folder)
            elif (code := _lost(root, name)) is not None:
                findings.append(Fault(code, known, file=shown(name)))
        except InvalidInput as error:
            findings.extend(error.faults)


def _lost(root: Folder, name: str) -> str | None:
    """Why what lies beside the OPDs' folders reaches nobody; None for what is no document."""
    if _is_document(name):
        return "inbox.no-folder"
    if not root.is_folder(name):
        return None
    with root.below(name) as other:
        holds_documents = any(_is_document(one) for one in other.names(MOST_FILES))
    return "inbox.no-opd" if holds_documents else None


def _shelf(opd: str, folder: Folder) -> Shelf:
    sheets, replies, strange = list[Sheet](), list[str](), list[str]()
    size = 0
    for name in folder.names(MOST_FILES):
        seen = folder.look(name)
        if name.startswith((".", "#", "~")) or name.endswith("~") or name == INDEX or seen is None:
            continue  # editors' temporary files, and our own index
        if name.endswith(REPLY):
            replies.append(name)
        elif _is_document(name):
            size += min(seen.size, LARGEST)
            sheets.append(Sheet(name, seen, beyond=size > MOST_MIB * 1024 * 1024))
        else:
            strange.append(name)
    return Shelf(opd, folder, tuple(sheets), tuple(replies), tuple(strange))


def _is_document(name: str) -> bool:
    """By its name; staff with Windows save .YAML too."""
    return not name.startswith((".", "#", "~")) and name.lower().endswith((".yaml", ".yml"))
