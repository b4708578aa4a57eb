"""Make the parameter tables from PVE's API schema: `python -m cloudpemda.lab.tables.make SCHEMA 9`.

SCHEMA is the JSON tree that PVE publishes for its API viewer. Only the paths that the lab serves
are taken, and of them only facts: no descriptions.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from cloudpemda.lab import api

Raw = dict[str, Any]
KEPT = (
    "type", "optional", "format", "items", "minimum", "maximum", "minLength", "maxLength",
    "pattern", "enum", "default", "requires", "alias", "keyAlias", "default_key",
)  # fmt: skip


def _slim(spec: Raw) -> Raw:
    kept = {key: spec[key] for key in KEPT if key in spec and spec[key] not in (0, "")}
    if isinstance(kept.get("pattern"), str):
        kept["pattern"] = str(kept["pattern"]).replace("(?^:", "(?:").replace("(?^i:", "(?i:")
    for key in ("minimum", "maximum"):
        if key in spec:
            kept[key] = spec[key]
    if isinstance(form := kept.get("format"), dict):
        kept["format"] = {name: _slim(sub) for name, sub in form.items()}
    if isinstance(items := kept.get("items"), dict):
        kept["items"] = _slim(items)
    return kept


class Shared:
    """Each distinct declaration once, named by its parameter."""

    def __init__(self) -> None:
        self.specs: dict[str, Raw] = {}
        self._names: dict[str, str] = {}
        self._count: dict[str, int] = defaultdict(int)

    def refer(self, properties: Raw) -> dict[str, str]:
        return {name: self._name(name, spec) for name, spec in sorted(properties.items())}

    def _name(self, name: str, spec: Raw) -> str:
        slim = _slim(spec)
        key = name + json.dumps(slim, sort_keys=True)
        if key not in self._names:
            self._count[name] += 1
            unique = name if self._count[name] == 1 else f"{name}#{self._count[name]}"
            self._names[key] = unique
            self.specs[unique] = slim
        return self._names[key]


def flatten(tree: list[Raw]) -> dict[str, Raw]:
    """Methods by `METHOD path`, each with its path's children."""
    found: dict[str, Raw] = {}
    for node in tree:
        children = node.get("children") or []
        names = [str(child["path"]).rsplit("/", 1)[1] for child in children]
        info = node.get("info") or {}
        for method, entry in info.items():
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
            made["variant"] = kind
            made["variants"] = {
                one["instance-type"]: shared.refer(one["properties"]) for one in part["oneOf"]
            }
    made["params"] = shared.refer(properties)
    permissions = entry.get("permissions") or {}
    for key in ("check", "user"):
        if key in permissions:
            made[key] = permissions[key]
    if entry.get("proxyto") == "node":
        made["proxied"] = True
    if entry.get("allowtoken") == 0:
        made["tokens"] = False
    return made


def make(tree: list[Raw], routes: set[str]) -> Raw:
    shared = Shared()
    made: Raw = {}
    for name, entry in sorted(flatten(tree).items()):
        index = _index_key(entry) if name.startswith("GET ") and name not in routes else ""
        if name in routes or index:
            made[name] = _route(entry, shared)
            if index:
                made[name] |= {"index": index, "children": entry["children"]}
    return {"shared": dict(sorted(shared.specs.items())), "routes": made}


def main() -> None:
    source, release = sys.argv[1:3]
    tree = json.loads(Path(source).read_text("utf-8"))
    table = make(tree, set(api.routes()))
    lines = ["{"]
    for section, comma in (("shared", ","), ("routes", "")):
        entries = table[section]
        lines.append(f'"{section}": {{')
        lines.append(
            ",\n".join(
                f" {json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}"
                for name, entry in entries.items()
            )
        )
        lines.append("}" + comma)
    lines.append("}\n")
    Path(__file__).with_name(f"pve{release}.json").write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
