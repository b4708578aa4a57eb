"""Sections of PVE's configuration files over the API: listed, read, made, changed, removed.

PVE keeps most settings as named sections of texts (`ha/groups.cfg`, `jobs.cfg`, `status.cfg`, …)
and serves each file by the same five calls. What differs is declared once per file: where it is,
what names a section, PVE's words, and the rules of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.routes import HANDLERS, Row
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.tables import load
from cloudpemda.lab.world import Call, check_digest, digest_of

NO_OPTIONS = frozenset({"delete", "digest", "type"})


def shown(release: str, route: str, options: Mapping[str, str], kind: str = "") -> Row:
    """Options as the API shows them: by the declaration of `route`, numbers and flags as such."""
    declared = load(release)[route].options(kind)
    return {
        key: _as_declared(declared[key].type if key in declared else "", value)
        for key, value in options.items()
    }


def _as_declared(kind: str, value: str) -> object:
    """Numbers that are not whole stay texts, as PVE shows a VM's `cpulimit`."""
    if kind in ("integer", "boolean"):
        return int(value)
    return value.split("\0") if kind == "array" else value


def held_at(path: str, *any_of: str) -> Callable[[Call, Section], bool]:
    """Sections are seen by who holds one of these privileges on their path."""
    return lambda call, section: call.may(f"{path}/{section.name}", *any_of, any_of=True)


@dataclass(frozen=True)
class File:
    """One file of sections. Texts are PVE's; `{}` stands for the section's name, {key} so."""

    path: str  # of the collection: `/cluster/ha/groups`
    key: str  # the parameter that names a section
    sections: Callable[[Cluster], Mapping[str, Section]] | None = None  # else by path
    kind: str = ""  # of its sections, where no `type` is given
    taken: str = "'{}' already defined"
    missing: str = "no such section '{}'"
    prefix: str = ""  # of what fails in a change: `{} ha group failed: `, with the verb
    update_prefix: str = ""  # where PUT has words of its own
    making: str = "create"  # the verb of what fails in POST
    strict: str = ""  # what fails in DELETE when there is no such section
    lock: str = ""  # of the whole file, which a cluster without quorum does not give
    made_at: str = ""  # the path of POST, where it is not the collection's
    fixed: frozenset[str] = frozenset()  # parameters of the path, no options
    naming: Callable[[Call, str], str] = lambda call, given: given
    make: Callable[[str, str, dict[str, str]], Section] = Section
    gate: Callable[[Call, str], None] = lambda call, verb: None  # before every call
    visible: Callable[[Call, Section], bool] = lambda call, section: True
    show: Callable[[Call, Section], Row] = lambda call, section: {}
    listed: Callable[[Call, Section], Row] = lambda call, section: {}  # what only lists show
    got: Callable[[Call, Section], Row] | None = None  # a row of GET, where it is not all
    brief: Callable[[Call, Section], Row] | None = None  # a row of lists, where it is not all
    check: Callable[[Call, Section, str], None] = lambda call, section, verb: None
    leave: Callable[[Call, Section], None] = lambda call, section: None
    signed: tuple[str, ...] = ("list", "get")  # the calls that show the file's digest
    elsewhere: tuple[str, ...] = ()  # calls that have code of their own: `GET /path`

    def all(self, cluster: Cluster) -> dict[str, Section]:
        if self.sections is None:
            return cluster.files.setdefault(self.path, {})
        return cast(dict[str, Section], self.sections(cluster))

    @property
    def made_by(self) -> str:
        return f"POST {self.made_at or self.path}"

    def digest(self, cluster: Cluster) -> str:
        return digest_of([[s.name, s.type, s.options] for s in self.all(cluster).values()])

    def row(self, call: Call, section: Section) -> Row:
        row: Row = {self.key: section.name, "type": section.type}
        options = shown(call.cluster.release, self.made_by, section.options, section.type)
        return row | options | self.show(call, section)

    def signature(self, call: Call, verb: str) -> Row:
        return {"digest": self.digest(call.cluster)} if verb in self.signed else {}

    def failure(self, verb: str) -> str:
        own = self.update_prefix if verb == "update" else ""
        return own or self.prefix.format(self.making if verb == "create" else verb, key=self.key)

    def open(self, call: Call, verb: str) -> None:
        self.gate(call, verb)
        if self.lock:
            call.world.need_file_lock(self.failure(verb).removesuffix(": "), self.lock)

    def seen(self, call: Call) -> dict[str, Section]:
        """The sections that a call is about."""
        return self.all(call.cluster)

    def find(self, call: Call, verb: str = "") -> Section:
        name, prefix = self.naming(call, call[self.key]), self.failure(verb) if verb else ""
        return found(self.seen(call).get(name), prefix + self.missing.format(name))

    def given(self, call: Call) -> dict[str, str]:
        """The options among a call's parameters."""
        left_out = {self.key, *NO_OPTIONS, *self.fixed}
        options = {key: value for key, value in call.params.items() if key not in left_out}
        refuse_if(any("\n" in value for value in options.values()), "property contains a line feed")
        return options

    def list(self, call: Call) -> list[Row]:
        self.gate(call, "index")
        kind, signed = call.get("type"), self.signature(call, "list")
        return [
            (self.brief or self.row)(call, section) | signed | self.listed(call, section)
            for section in self.seen(call).values()
            if kind in ("", section.type) and self.visible(call, section)
        ]

    def get(self, call: Call) -> Row:
        self.gate(call, "read")
        return (self.got or self.row)(call, self.find(call)) | self.signature(call, "get")

    def create(self, call: Call) -> None:
        self.open(call, "create")
        name, sections = self.naming(call, call[self.key]), self.all(call.cluster)
        options = self.given(call)
        refuse_if(name in sections, self.failure("create") + self.taken.format(name, key=self.key))
        section = self.make(name, call.get("type", self.kind), options)
        self.check(call, section, "create")
        sections[name] = section

    def update(self, call: Call) -> None:
        self.open(call, "update")
        section, given = self.find(call, "update"), self.given(call)
        prefix, gone = self.failure("update"), call.items_of("delete")
        check_digest(call.params, self.digest(call.cluster), prefix)
        self._check_deletable(call, section, gone, prefix)
        kept = {key: value for key, value in section.options.items() if key not in gone}
        changed = self.make(section.name, section.type, kept | given)
        self.check(call, changed, "update")
        section.options = changed.options

    def _check_deletable(
        self, call: Call, section: Section, gone: Iterable[str], prefix: str
    ) -> None:
        options = load(call.cluster.release)[self.made_by].options(section.type)
        for name in gone:
            option = found(options.get(name), f"{prefix}no such option '{name}'")
            refuse_if(not option.optional, f"{prefix}unable to delete required option '{name}'")

    def delete(self, call: Call) -> None:
        self.open(call, "delete")
        name = self.naming(call, call[self.key])
        section, missing = self.all(call.cluster).get(name), self.strict.format(name)
        refuse_if(missing and section is None, self.failure("delete") + missing)
        if section is not None:
            self.leave(call, section)
            del self.all(call.cluster)[section.name]

    def serve(self) -> "File":
        """Answer the file's five calls, but those that are answered elsewhere."""
        one = f"{self.path}/{{{self.key}}}"
        calls = {
            f"GET {self.path}": self.list, f"GET {one}": self.get, f"PUT {one}": self.update,
            self.made_by: self.create, f"DELETE {one}": self.delete,
        }  # fmt: skip
        HANDLERS.update({name: call for name, call in calls.items() if name not in self.elsewhere})
        return self
