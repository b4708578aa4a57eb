"""Sections of PVE's configuration files over the API: listed, read, made, changed, removed.

PVE keeps most settings as named sections of texts (`ha/groups.cfg`, `jobs.cfg`, `status.cfg`, …)
and serves each file by the same five calls. What differs is declared once per file: where it is,
what names a section, PVE's words, and the rules of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.routes import HANDLERS, Row
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.tables import load
from cloudpemda.lab.world import Call, check_digest, digest_of

NO_OPTIONS = frozenset({"delete", "digest", "type"})


def shown(release: str, route: str, options: Mapping[str, str]) -> Row:
    """Options as the API shows them: by the declaration of `route`, numbers and flags as such."""
    declared = load(release)[route].params
    return {
        key: int(value)
        if key in declared and declared[key].type in ("integer", "boolean")
        else value
        for key, value in options.items()
    }


@dataclass(frozen=True)
class File:
    """One file of sections. Texts are PVE's; `{}` stands for the section's name."""

    path: str  # of the collection: `/cluster/ha/groups`
    key: str  # the parameter that names a section
    sections: Callable[[Cluster], dict[str, Section]]
    kind: str = ""  # of its sections, where no `type` is given
    taken: str = "'{}' already defined"
    missing: str = "no such section '{}'"
    prefix: str = ""  # of what fails in a change: `{} ha group failed: `, with the verb
    made_at: str = ""  # the path of POST, where it is not the collection's
    fixed: frozenset[str] = frozenset()  # parameters of the path, no options
    visible: Callable[[Call, Section], bool] = lambda call, section: True
    show: Callable[[Call, Section], Row] = lambda call, section: {}
    check: Callable[[Call, Section, str], None] = lambda call, section, verb: None
    leave: Callable[[Call, Section], None] = lambda call, section: None
    elsewhere: tuple[str, ...] = ()  # calls that have code of their own: `GET /path`

    def digest(self, cluster: Cluster) -> str:
        return digest_of([[s.name, s.type, s.options] for s in self.sections(cluster).values()])

    def row(self, call: Call, section: Section) -> Row:
        row: Row = {
            self.key: section.name,
            "type": section.type,
            "digest": self.digest(call.cluster),
        }
        made = f"POST {self.made_at or self.path}"
        return row | shown(call.cluster.release, made, section.options) | self.show(call, section)

    def failure(self, verb: str) -> str:
        return self.prefix.format(verb)

    def find(self, call: Call, verb: str = "") -> Section:
        section = self.sections(call.cluster).get(call[self.key])
        return found(section, self.failure(verb) * bool(verb) + self.missing.format(call[self.key]))

    def list(self, call: Call) -> list[Row]:
        kind = call.get("type")
        return [
            self.row(call, section)
            for section in self.sections(call.cluster).values()
            if kind in ("", section.type) and self.visible(call, section)
        ]

    def get(self, call: Call) -> Row:
        return self.row(call, self.find(call))

    def create(self, call: Call) -> None:
        name, sections = call[self.key], self.sections(call.cluster)
        refuse_if(name in sections, self.failure("create") + self.taken.format(name))
        left_out = {self.key, *NO_OPTIONS, *self.fixed}
        options = {key: value for key, value in call.params.items() if key not in left_out}
        section = Section(name, call.get("type", self.kind), options)
        self.check(call, section, "create")
        sections[name] = section

    def update(self, call: Call) -> None:
        section = self.find(call, "update")
        check_digest(call.params, self.digest(call.cluster), self.failure("update"))
        gone, left_out = call.items_of("delete"), {self.key, *NO_OPTIONS, *self.fixed}
        kept = {key: value for key, value in section.options.items() if key not in gone}
        given = {key: value for key, value in call.params.items() if key not in left_out}
        changed = Section(section.name, section.type, kept | given)
        self.check(call, changed, "update")
        section.options = changed.options

    def delete(self, call: Call) -> None:
        section = self.sections(call.cluster).get(call[self.key])
        if section is not None:
            self.leave(call, section)
            del self.sections(call.cluster)[section.name]

    def serve(self) -> "File":
        """Answer the file's five calls, but those that are answered elsewhere."""
        one = f"{self.path}/{{{self.key}}}"
        calls = {
            f"GET {self.path}": self.list, f"GET {one}": self.get, f"PUT {one}": self.update,
            f"POST {self.made_at or self.path}": self.create, f"DELETE {one}": self.delete,
        }  # fmt: skip
        HANDLERS.update({name: call for name, call in calls.items() if name not in self.elsewhere})
        return self
