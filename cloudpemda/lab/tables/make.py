"""Make the parameter tables from PVE's API schema: `python -m cloudpemda.lab.tables.make SCHEMA 9`.

SCHEMA is the JSON tree that PVE publishes for its API viewer, or, with `pbs` for 9, that of Proxmox
Backup Server as OpenAPI. Of the paths that the lab serves only facts are taken, no descriptions; of
the others only their names.
"""

import json
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from cloudpemda.lab.pbs.routes import PBS
from cloudpemda.lab.routes import served
from cloudpemda.lab.tables import Spec, table_name

Raw = dict[str, Any]
KEPT = {field.name for field in fields(Spec)}
FLAGS = ("optional", "default_key")


def slim(spec: Raw) -> Raw:
    """What a declaration says that can be checked, by the names of `Spec`."""
    named = {re.sub("[A-Z]", lambda big: f"_{big[0].lower()}", key): spec[key] for key in spec}
    kept = {key: value for key, value in named.items() if key in KEPT and value is not None}
    for flag in FLAGS:
        if flag in kept and not int(kept[flag]):
            del kept[flag]
    if "pattern" in kept:
        # Perl's way to write a group without options of its own.
        kept["pattern"] = kept["pattern"].replace("(?^", "(?")
    if "enum" in kept:
        kept["enum"] = [str(value) for value in kept["enum"]]
    if isinstance(kept.get("format"), dict):
        kept["keys"] = {name: slim(key) for name, key in kept.pop("format").items()}
    if "items" in kept:
        kept["items"] = slim(kept["items"])
    return kept


class Shared:
    """Each distinct declaration once, named by its parameter."""

    def __init__(self) -> None:
        self.specs: dict[str, Raw] = {}

    def refer(self, properties: Raw) -> dict[str, str]:
        return {name: self._name(name, slim(spec)) for name, spec in sorted(properties.items())}

    def _name(self, name: str, spec: Raw) -> str:
        unique, number = name, 1
        while self.specs.setdefault(unique, spec) != spec:
            number += 1
            unique = f"{name}#{number}"
        return unique


def flatten(tree: list[Raw]) -> dict[str, Raw]:
    """Methods by `METHOD path`, each with its path's children."""
    found: dict[str, Raw] = {}
    for node in tree:
        children = node.get("children") or []
        names = [str(child["path"]).rsplit("/", 1)[1] for child in children]
        for method, entry in (node.get("info") or {}).items():
            found[f"{method} {node['path']}"] = {**entry, "children": names}
        found.update(flatten(children))
    return found


def _index_key(entry: Raw) -> str:
    returns = entry.get("returns")
    links = returns.get("links") if isinstance(returns, dict) else None
    names = entry["children"]
    if not links or not names or any("{" in name for name in names):
        return ""
    return str(links[0]["href"]).strip("{}")


def _route(entry: Raw, shared: Shared) -> Raw:
    made: Raw = {}
    parameters = entry.get("parameters") or {}
    properties: Raw = dict(parameters.get("properties") or {})
    for part in parameters.get("allOf") or []:
        properties.update(part.get("properties") or {})
        if kind := part.get("type-property"):
            properties[kind] = part["type-property-schema"]
            made["variant_key"] = kind
            made["variants"] = {
                one["instance-type"]: shared.refer(one["properties"]) for one in part["oneOf"]
            }
    made["params"] = shared.refer(properties)
    permissions = entry.get("permissions") or {}
    made |= {key: permissions[key] for key in ("check", "user") if key in permissions}
    if entry.get("proxyto") == "node":
        made["proxied"] = True
    if entry.get("allowtoken") == 0:
        made["tokens"] = False
    return made


def make(known: dict[str, Raw], routes: set[str]) -> Raw:
    shared, made = Shared(), {}
    for name, entry in sorted(known.items()):
        index = _index_key(entry) if name.startswith("GET ") and name not in routes else ""
        if name in routes or index:
            made[name] = _route(entry, shared)
            if index:
                made[name] |= {"index": index, "children": entry["children"]}
    unserved = sorted(known.keys() - made.keys())
    return {"shared": dict(sorted(shared.specs.items())), "routes": made, "unserved": unserved}


# -- Proxmox Backup Server, from OpenAPI ---------------------------------------------------------


def _true_path(key: str) -> str:
    """The published names repeat each parent: `//admin/admin/sync` is `/admin/sync`."""
    path, rest = "", key[1:]
    while rest.startswith(path + "/") and rest != "/":
        step = rest[len(path) :].split("/")[1]
        path, rest = f"{path}/{step}", rest[len(path) + len(step) + 1 :]
    return path or "/"


def _plain(spec: Raw, shared: Raw) -> Raw:
    """A parameter as PVE's schema would declare it."""
    reference = str(spec.get("$ref", "")).rpartition("/")[2]
    plain = {**shared[reference]} if reference else {**spec}
    plain.pop("format", None)  # OpenAPI's own, and no more than the pattern says
    if "pattern" in plain:
        within = plain["pattern"].replace("[[:^cntrl:]]", r"[^\x00-\x1f\x7f]")
        plain["pattern"] = within.replace("[:cntrl:]", r"\x00-\x1f\x7f")
    if "items" in plain:
        plain["items"] = _plain(plain["items"], shared)
    return plain


def flatten_openapi(document: Raw) -> dict[str, Raw]:
    """Methods by `METHOD path`, as `flatten` has them."""
    found: dict[str, Raw] = {}
    shared = document["components"]["schemas"]
    for key, methods in document["paths"].items():
        for method, entry in methods.items():
            specs = {
                one["name"]: {**one["schema"], "optional": not one.get("required")}
                for one in entry.get("parameters", ())
            }
            body = (entry.get("requestBody") or {}).get("content", {})
            schema = body.get("application/json", {}).get("schema", {})
            for name, spec in schema.get("properties", {}).items():
                specs[name] = {**spec, "optional": name not in schema.get("required", ())}
            properties = {
                name: {**_plain(spec, shared), "optional": spec["optional"]}
                for name, spec in specs.items()
            }
            found[f"{method.upper()} {_true_path(key)}"] = {
                "parameters": {"properties": properties}, "permissions": {"user": "all"},
                "children": [],
            }  # fmt: skip
    return found


def main() -> None:
    source, release = sys.argv[1:3]
    raw, routes = json.loads(Path(source).read_text("utf-8")), set(served())
    table = make(flatten_openapi(raw), set(PBS)) if release == "pbs" else make(flatten(raw), routes)
    # A line per entry, so that a change of the schema can be read as a difference.
    parts = [
        f'"{section}": {{\n'
        + ",\n".join(
            f" {json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}"
            for name, entry in table[section].items()
        )
        + "\n}"
        for section in ("shared", "routes")
    ]
    parts.append(f'"unserved": {json.dumps(table["unserved"], indent=1)}')
    made = Path(__file__).with_name(f"{table_name(release)}.json")
    made.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
