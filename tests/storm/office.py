"""The site of a storm of governance: small limits, chains of several people, files that change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import yaml

ZONE = ZoneInfo("Asia/Jakarta")
SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqSvjOssEHZ6e1Fm3N3zGxP8r4rgJ0wpQFtd+i1DJDp siti@example"
)
SITI = ("siti", "198501012010012001", "Siti Rahmawati")
ASKING = {
    "dinkes": SITI,
    "rsud": SITI,
    "disdukcapil": ("asep", "198703142011011003", "Asep Hidayat"),
    "bkad": ("nina", "199002202014022005", "Nina Marlina"),
}
CLASSES = {
    "dinkes": ("critical", "normal", "basic", "basic"),
    "rsud": ("normal", "critical"),
    "disdukcapil": ("normal", "basic", "basic"),
    "bkad": ("normal", "basic", "basic"),
}
DECIDERS = ("dewi", "budi", "hendra", "agus", "head-dinkes", "head-rsud")
LIMITS: Mapping[str, Mapping[str, object]] = {
    "dinkes": {"instances": 7, "vcpu": 10, "memory": "14 GiB"},
    "rsud": {"instances": 5, "vcpu": 8, "memory": "10 GiB"},  # with its parent's own: too much
    "disdukcapil": {"instances": 4, "vcpu": 6, "memory": "8 GiB"},
    "bkad": {"instances": 4, "vcpu": 6, "memory": "8 GiB"},
}
HOLD_HOURS, PENDING_HOURS = 12, 20
APPROVALS = f"""
approvals:
  rules:
    - name: hospital
      when: {{opd: [dinkes, rsud]}}
      stages: [{{who: opd-head}}, {{who: executive, of: EXECUTIVES}}]
    - name: finance
      when: {{opd: [bkad]}}
      stages: [{{who: diskominfo, of: REVIEWERS}}]
  automatic:
    - name: small
      when: {{opd: [disdukcapil], upTo: {{vcpu: 1, memory: 1 GiB, disk: 10 GiB}}}}
      perDay: {{instances: 1, vcpu: 1, memory: 1 GiB, disk: 20 GiB}}
  pendingFor: {PENDING_HOURS}h
  warnBefore: 2h
"""


@dataclass
class Office:
    """The files of one site, written anew whenever somebody changes them."""

    directory: Path
    ledger: str  # its URL
    executives: int = 2
    reviewers: int = 2
    approvers: set[str] = field(default_factory=lambda: {"hendra", "agus"})
    delegations: list[dict[str, object]] = field(default_factory=list)
    quota: dict[str, dict[str, object]] = field(default_factory=dict)
    changes: int = 0  # of the limits' files
    _plain: str = field(init=False)

    def __post_init__(self) -> None:
        self._plain = (self.directory / "site.yaml").read_text()
        for opd in LIMITS:  # what a file says otherwise stays
            file = self.directory / "opd" / f"{opd}.yaml"
            self.quota[opd] = {**yaml.safe_load(file.read_text())["quota"], **LIMITS[opd]}

    def begin(self, ledger: str) -> None:
        """As it is before anything has happened."""
        self.ledger, self.executives, self.reviewers = ledger, 2, 2
        self.approvers, self.delegations = {"hendra", "agus"}, []
        for opd, limits in LIMITS.items():
            self.quota[opd].update(limits)
            self.write_limits(opd)
        self.write_people()
        self.write_site()

    def write_site(self) -> None:
        text = self._plain.replace("hold: 14d", f"hold: {HOLD_HOURS}h")
        text = text.replace("sqlite:///var/ledger.sqlite3", self.ledger)
        before, _, after = text.partition("  drc:")  # the small lab has one cluster
        rules = APPROVALS.replace("EXECUTIVES", str(self.executives))
        rules = rules.replace("REVIEWERS", str(self.reviewers))
        rest = after[after.index("\n# Proxmox Backup Servers") :]
        (self.directory / "site.yaml").write_text(before + rest + rules)

    def write_people(self) -> None:
        def person(login: str, name: str, *roles: dict[str, str]) -> dict[str, object]:
            return {"login": login, "name": name, "roles": roles}

        people: list[dict[str, object]] = []
        for login, nip, name in dict.fromkeys(ASKING.values()):
            roles = [{"role": "requester", "opd": opd} for opd in ASKING if ASKING[opd][0] == login]
            people.append({**person(login, name, *roles), "nip": nip})
        for login, name in (("hendra", "Hendra Gunawan"), ("agus", "Agus Permana")):
            role = "approver" if login in self.approvers else "auditor"
            people.append(person(login, name, {"role": role}))
        people += [
            person("dewi", "Dewi Lestari", {"role": "reviewer"}),
            person("budi", "Budi Santoso", {"role": "reviewer"}),
            person("head-dinkes", "Kepala Dinkes", {"role": "approver", "opd": "dinkes"}),
            person("head-rsud", "Direktur RSUD", {"role": "approver", "opd": "rsud"}),
            person("rudi", "Rudi Setiawan", {"role": "operator"}),
            person("yanti", "Yanti Suryani", {"role": "auditor"}),
        ]
        # what somebody no longer has they pass on no longer: a site would not open with it
        lost = {"hendra", "agus"} - self.approvers
        passed_on = [one for one in self.delegations if one["from"] not in lost]
        told = {"people": people, "delegations": passed_on}
        (self.directory / "people.yaml").write_text(json.dumps(told))

    def write_limits(self, opd: str) -> None:
        file = self.directory / "opd" / f"{opd}.yaml"
        said = yaml.safe_load(file.read_text())
        file.write_text(json.dumps({**said, "quota": self.quota[opd]}))
        self.changes += 1

    def delegate(self, login: str, to: str, now: datetime, hours: int) -> None:
        """Somebody stands in for somebody from this minute on."""
        since = now.astimezone(ZONE)
        self.delegations = [
            {
                "from": login,
                "to": to,
                "as": "plh",
                "role": "approver",
                "letter": {"number": "800/77/2026", "date": str(since.date())},
                "since": f"{since:%Y-%m-%d %H:%M}",
                "until": f"{since + timedelta(hours=hours):%Y-%m-%d %H:%M}",
            }
        ]
        self.write_people()

    def may(self, word: Mapping[str, Any], opd: str) -> bool:
        """Whether a decision was its giver's to give for an OPD at its moment, by these files."""
        who = word["behalf_login"] or word["login"]
        local = f"{datetime.fromisoformat(word['at']).astimezone(ZONE):%Y-%m-%d %H:%M}"
        stands_in = word["behalf_login"] is None or any(
            (one["from"], one["to"]) == (who, word["login"])
            and str(one["since"]) <= local < str(one["until"])
            for one in self.delegations
        )
        own = {
            "executive": {"hendra", "agus"} & self.approvers,
            "diskominfo": {"dewi", "budi"},
            "opd-head": {f"head-{opd}"},
        }
        return stands_in and who in own[word["authority"]]


def vm_request(opd: str, name: str, dice: Random) -> dict[str, object]:
    """A document of any size; often a small one, so that there is room for several."""
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "VMRequest",
        "metadata": _metadata(opd, name),
        "spec": {
            "purpose": "Badai uji",
            "serviceClass": dice.choice(CLASSES[opd]),
            "until": "2027-12-31",
            "vms": [
                {
                    "name": "web",
                    "count": dice.choice((1, 1, 1, 2)),
                    "image": "debian-12",
                    "cpu": dice.choice((1, 1, 2, 4)),
                    "memory": dice.choice(("1 GiB", "1 GiB", "2 GiB", "4 GiB")),
                    "disks": [{"name": "root", "size": "10 GiB", "class": "ssd"}],
                    "networks": [{"name": f"{opd}-app"}],
                    "sshKeys": [SSH_KEY],
                }
            ],
        },
    }


def quota_request(opd: str, name: str, today: date, dice: Random) -> dict[str, object]:
    """More of what runs short, for some days or for good."""
    lasts = dice.choice(("permanent", str(today), str(today), str(today + timedelta(days=1))))
    begins = {"from": str(today + timedelta(days=1))} if dice.random() < 0.2 else {}
    if begins and lasts == str(today):
        lasts = begins["from"]
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "QuotaRequest",
        "metadata": _metadata(opd, name),
        "spec": {
            "purpose": "Badai uji",
            "add": {
                "instances": dice.randint(1, 2),
                "vcpu": dice.randint(1, 4),
                "memory": f"{dice.randint(1, 4)} GiB",
            },
            **begins,
            "until": lasts,
        },
    }


def _metadata(opd: str, name: str) -> dict[str, object]:
    _, nip, person = ASKING[opd]
    return {
        "name": name,
        "opd": opd,
        "letter": {"number": "500/1/2026", "date": "2026-11-20"},
        "requester": {
            "name": person,
            "nip": nip,
            "position": "Kasubag TI",
            "email": "ti@example.go.id",
        },
    }
