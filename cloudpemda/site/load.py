"""From a site directory to `Site`: every file read, compared with the others, and held."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from cloudpemda.document import Source, examine, load
from cloudpemda.document.fields import Strict
from cloudpemda.document.files import read_regular
from cloudpemda.document.source import in_order
from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.site.approvals import Delegation
from cloudpemda.site.checks import Files, Read, compare
from cloudpemda.site.models import (
    Catalogue,
    OpdFile,
    PeopleFile,
    Person,
    Quota,
    SiteFile,
)

M = TypeVar("M", bound=Strict)
Limit = int | None
"""A limit of one dimension (MiB for sizes); None is unlimited."""


@dataclass(frozen=True)
class Site:
    """One site. What it says of itself agrees; whether it is true, `doctor` finds out."""

    directory: Path
    info: SiteFile
    opds: Mapping[str, OpdFile]  # by code
    catalogue: Catalogue
    people: tuple[Person, ...]
    delegations: tuple[Delegation, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """Where the site's people live: moments are shown in it."""
        return ZoneInfo(self.info.site.zone)

    def path(self, relative: str) -> Path:
        """A file that the site names, relative to the site directory."""
        return self.directory / relative

    def secret(self, relative: str) -> str:
        """The one line of a secret's file.

        Raises InvalidInput where the file is absent, readable by group or others, a link, or
        does not hold one printable word.
        """
        path = self.path(relative)
        word = read_regular(path, private=True).strip()
        if not word.isascii() or not word.decode("ascii").isprintable() or not word or b" " in word:
            raise InvalidInput([Fault("site.secret", file=str(path))])
        return word.decode("ascii")

    def effective_quota(self, opd: str) -> Mapping[str, Limit]:
        """The limits of one OPD by dimension, the site's defaults filled in.

        Dimensions are `instances`, `vcpu`, `memory` and `backup` (MiB), `disk.<class>` (MiB) and
        `public_ip`. Raises KeyError for an unknown code.
        """
        own, default = self.opds[opd].quota, self.info.defaults.quota
        limits = {
            dimension: _limit(said if said is not None else fallback)
            for (dimension, said), fallback in zip(
                _plain_dimensions(own).items(), _plain_dimensions(default).values(), strict=True
            )
        }
        for name in self.info.storage_classes:
            limits[f"disk.{name}"] = _limit(own.disk.get(name, default.disk.get(name)))
        return MappingProxyType(limits)


def _plain_dimensions(quota: Quota) -> dict[str, int | str | None]:
    return {
        "instances": quota.instances,
        "vcpu": quota.vcpu,
        "memory": quota.memory,
        "backup": quota.backup,
        "public_ip": quota.public_ip,
    }


def _limit(said: int | str | None) -> Limit:
    assert said is not None  # noqa: S101 - `checks` refused defaults with a gap
    return None if isinstance(said, str) else said


def load_site(directory: Path) -> Site:
    """Read and compare all files of a site. Raises InvalidInput with all faults of all files."""
    faults: list[Fault] = []
    site = _read(directory / "site.yaml", SiteFile, faults)
    if [fault.code for fault in faults] == ["document.not-found"]:
        raise InvalidInput([Fault("site.none", {"directory": str(directory)}, faults[0].file)])
    files = Files(
        site=site,
        catalogue=_read(directory / "catalogue.yaml", Catalogue, faults),
        people=_read(directory / "people.yaml", PeopleFile, faults),
        opds={
            path.stem: _read(path, OpdFile, faults)
            for path in _opd_files(directory / "opd", faults)
        },
    )
    faults.extend(compare(files))
    if faults:
        raise InvalidInput(in_order(faults))
    return Site(
        directory=directory,
        info=files.site.sound,
        opds=MappingProxyType({code: read.sound for code, read in files.opds.items()}),
        catalogue=files.catalogue.sound,
        people=files.people.sound.people,
        delegations=files.people.sound.delegations,
    )


def _read(path: Path, model: type[M], faults: list[Fault]) -> Read[M]:
    source: Source = load(path)
    examined = examine(source, model)
    faults.extend(examined.faults)
    return Read(source, examined.model)


def _opd_files(folder: Path, faults: list[Fault]) -> list[Path]:
    """The OPDs' files by name. Anything else there is a fault: nobody should look in vain for
    an OPD whose file was called .yml."""
    found: list[Path] = []
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return found
    except OSError:
        faults.append(Fault("document.unreadable", file=str(folder)))
        return found
    for path in entries:
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.suffix == ".yaml":
            found.append(path)
        else:
            faults.append(Fault("site.file-name", file=str(path)))
    return found
