"""A backup server's named settings: remotes, its jobs and how they went, datastores' options."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from cloudpemda.lab.calendar import CalendarError, parse
from cloudpemda.lab.errors import failed, found, invalid, refuse_if
from cloudpemda.lab.pbs import vault
from cloudpemda.lab.pbs.routes import pbs_route
from cloudpemda.lab.routes import Row, Signed
from cloudpemda.lab.state import BackupServer, Section, ServerJob
from cloudpemda.lab.tables import load
from cloudpemda.lab.world import Call


@dataclass(frozen=True)
class Config:
    """One kind of named settings: its path, what names one, and who may see and change it."""

    kind: str
    key: str
    sections: Callable[[BackupServer], dict[str, Section]]
    path: Callable[[Section], str]  # of its access rules
    audit: str
    modify: str
    secret: frozenset[str] = frozenset()
    start: Callable[..., str] | None = None  # of jobs

    def all(self, call: Call) -> dict[str, Section]:
        return self.sections(vault.server(call.world))

    def row(self, section: Section) -> Row:
        declared = load("pbs")[f"POST /config/{self.kind}"].params
        row: Row = {self.key: section.name}
        for name, text in section.options.items():
            spec = declared[name].type
            if name in self.secret:
                continue
            row[name] = (
                text == "1" if spec == "boolean" else int(text) if spec == "integer"
                else text.split("\0") if spec == "array" else text
            )  # fmt: skip
        return row

    def digest(self, call: Call) -> str:
        rows = [self.row(section) for section in self.all(call).values()]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()

    def seen(self, call: Call) -> list[Section]:
        return [one for one in self.all(call).values() if call.may(self.path(one), self.audit)]

    def find(self, call: Call, right: str) -> Section:
        name = call[self.key]
        section = found(self.all(call).get(name), f"no such {self.kind} '{name}'")
        call.require(self.path(section), right)
        wrong = call.get("digest", self.digest(call)) != self.digest(call)
        text = "detected modified configuration - file changed by other user? Try again."
        refuse_if(wrong, text)
        return section

    def list(self, call: Call) -> object:
        return Signed([self.row(one) for one in self.seen(call)], self.digest(call))

    def get(self, call: Call) -> object:
        return Signed(self.row(self.find(call, self.audit)), self.digest(call))

    def _checked(self, call: Call, section: Section) -> None:
        schedule, options = section.options.get("schedule"), section.options
        call.require(self.path(section), self.modify)
        if schedule is not None:
            try:
                parse(schedule)
            except CalendarError as error:
                raise invalid({"schedule": str(error)}) from None
        if "store" in options:
            vault.store_of(call.world, options["store"])
        if remote := options.get("remote"):
            call.require(f"/remote/{remote}", "Remote.Read")
            known = remote in vault.server(call.world).remotes
            refuse_if(not known, f"remote '{remote}' does not exist")

    def create(self, call: Call) -> object:
        name = call[self.key]
        given = {key: text for key, text in call.params.items() if key not in (self.key, "digest")}
        section: Section
        if self.start is not None:
            section = ServerJob(name, self.kind, given)
            section.run.since = call.world.now()
        else:
            section = Section(name, self.kind, given)
        refuse_if(name in self.all(call), f"{self.kind} '{name}' already exists.")
        self._checked(call, section)
        self.all(call)[name] = section
        return None

    def update(self, call: Call) -> object:
        section = self.find(call, self.modify)
        gone = call.get("delete").split("\0")
        left_out = (self.key, "digest", "delete")
        given = {key: text for key, text in call.params.items() if key not in left_out}
        kept = {key: text for key, text in section.options.items() if key not in gone}
        self._checked(call, Section(section.name, section.type, kept | given))
        section.options = kept | given
        if isinstance(section, ServerJob) and "schedule" in given:
            section.run.since = call.world.now()
        return None

    def delete(self, call: Call) -> object:
        section = self.find(call, self.modify)
        jobs = vault.server(call.world).sync.values() if self.kind == "remote" else ()
        users = [job.name for job in jobs if job.options.get("remote") == section.name]
        refuse_if(users, f"remote '{section.name}' is used by sync job '{' '.join(users)}'")
        del self.all(call)[section.name]
        return None

    def states(self, call: Call) -> object:
        rows = []
        for section in self.seen(call):
            job = cast(ServerJob, section)
            if call.get("store", job.options["store"]) != job.options["store"]:
                continue
            run, schedule = job.run, job.options.get("schedule", "")
            row = self.row(job)
            if run.upid:
                row["last-run-upid"] = run.upid
            if run.ended:
                row |= {"last-run-endtime": run.ended, "last-run-state": run.state}
            if job.options.get("disable") != "1" and (due := vault.next_run(run, schedule)):
                row["next-run"] = due
            rows.append(row)
        return rows

    def run(self, call: Call) -> object:
        job = self.find(call, self.modify)
        if self.start is None:
            raise failed("not a job")
        return self.start(call.world, job, call.user)

    def serve(self) -> None:
        one = f"/config/{self.kind}/{{{self.key}}}"
        pbs_route(f"GET /config/{self.kind}")(self.list)
        pbs_route(f"POST /config/{self.kind}")(self.create)
        pbs_route(f"GET {one}")(self.get)
        pbs_route(f"PUT {one}")(self.update)
        pbs_route(f"DELETE {one}")(self.delete)
        if self.start is not None:
            pbs_route(f"GET /admin/{self.kind}")(self.states)
            pbs_route(f"POST /admin/{self.kind}/{{id}}/run")(self.run)


def _on_store(section: Section) -> str:
    return f"/datastore/{section.options['store']}"


def _sections(jobs: object) -> dict[str, Section]:
    return cast(dict[str, Section], jobs)


REMOTES = Config(
    "remote", "name", lambda here: here.remotes, lambda one: f"/remote/{one.name}",
    "Remote.Audit", "Remote.Modify", frozenset({"password"}),
)  # fmt: skip
REMOTES.serve()
Config(
    "sync", "id", lambda here: _sections(here.sync), _on_store, "Datastore.Audit",
    "Datastore.Backup", start=vault.run_sync,
).serve()  # fmt: skip
Config(
    "verify", "id", lambda here: _sections(here.verify), _on_store, "Datastore.Audit",
    "Datastore.Verify", start=vault.run_verify,
).serve()  # fmt: skip
Config(
    "prune", "id", lambda here: _sections(here.prune), _on_store, "Datastore.Audit",
    "Datastore.Prune", start=vault.run_prune,
).serve()  # fmt: skip


@pbs_route("GET /config/remote/{name}/scan")
def scan(call: Call) -> object:
    remote = REMOTES.find(call, "Remote.Audit").options
    there = vault.at_address(call.world, remote["host"])
    if there is None:
        raise failed(f"remote connection to '{remote['host']}' failed - tcp connect error")
    vault.sign_in(there, remote["auth-id"], remote.get("password", ""))
    return [{"store": name} for name in vault.server(there).stores]


@pbs_route("GET /config/datastore")
def datastore_configs(call: Call) -> object:
    stores = [
        one for one in vault.seen(call) if call.may(f"/datastore/{one.name}", "Datastore.Audit")
    ]
    return [{"name": one.name, "path": f"/mnt/{one.name}", **one.options} for one in stores]


@pbs_route("PUT /config/datastore/{name}")
def set_datastore(call: Call) -> object:
    call.require(f"/datastore/{call['name']}", "Datastore.Modify")
    store = vault.store_of(call.world, call["name"])
    for gone in filter(None, call.get("delete").split("\0")):
        store.options.pop(gone, None)
    left_out = ("name", "digest", "delete")
    store.options |= {key: text for key, text in call.params.items() if key not in left_out}
    if "gc-schedule" in call:
        store.gc.since = call.world.now()
    return None
