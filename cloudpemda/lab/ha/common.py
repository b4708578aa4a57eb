"""What the parts of HA share: resource ids, node lists, digests, changes of a section."""

from collections.abc import Mapping

from cloudpemda.lab.formats import split_list
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.world import digest_of

MIGRATED = "ha groups have been migrated to rules"


def full_sid(text: str) -> str:
    return text if ":" in text else f"vm:{text}"


def vmid_of(sid: str) -> int:
    name = sid.partition(":")[2]
    return int(name) if name.isdigit() else 0


def members(rule: Section) -> set[str]:
    return set(split_list(rule.options.get("resources", "")))


def node_names(text: str) -> list[str]:
    """Nodes of `pve1:2,pve2`, without their priorities."""
    return [part.partition(":")[0] for part in split_list(text)]


def resources_digest(cluster: Cluster) -> str:
    return digest_of([[r.sid, r.options] for r in cluster.ha_resources.values()])


def sections_digest(sections: Mapping[str, Section]) -> str:
    return digest_of([[s.name, s.type, s.options] for s in sections.values()])


def update(section: Section, params: Mapping[str, str], fixed: tuple[str, ...]) -> None:
    for key in split_list(params.get("delete", "")):
        section.options.pop(key, None)
    for key, value in params.items():
        if key not in (*fixed, "delete", "digest"):
            section.options[key] = value


def forget(cluster: Cluster, sid: str) -> None:
    """Take a resource out of the rules; a rule without resources goes."""
    for rule in list(cluster.ha_rules.values()):
        left = split_list(rule.options.get("resources", ""))
        if sid in left:
            left.remove(sid)
            rule.options["resources"] = ",".join(left)
            if not left:
                del cluster.ha_rules[rule.name]
