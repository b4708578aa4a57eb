"""Texts of addresses."""

from cloudpemda.messages import Text

TEXTS = {
    "ip.pool": Text(
        en="the site has no network {pool} (it has {known})",
        id="situs tidak punya jaringan {pool} (yang ada: {known})",
        next_en="Name one of these; public addresses are --public.",
        next_id="Sebut salah satunya; alamat publik dengan --public.",
    ),
    "ip.network-and-public": Text(
        en="--network and --public are named together",
        id="--network dan --public disebut bersamaan",
        next_en="One of them says which addresses are shown.",
        next_id="Cukup salah satu.",
    ),
    "ip.conflict": Text(
        en="{address} of {vm} is also set in VM {vmid} ({name}) on {cluster}, which is not "
        "cloudpemda's",
        id="{address} milik {vm} juga dipasang di VM {vmid} ({name}) di {cluster} yang tidak "
        "dikelola cloudpemda",
        next_en="Have its owner take another address; until then both may be cut off by turns.",
        next_id="Minta pemiliknya memakai alamat lain; sebelum itu keduanya bisa terputus "
        "bergantian.",
    ),
    "show.ip-given": Text(en="given", id="dipakai"),
    "show.ip-resting": Text(en="resting", id="istirahat"),
    "show.ip-seen": Text(en="used by a stranger", id="dipakai pihak lain"),
    "show.no-addresses": Text(en="no addresses", id="tidak ada alamat"),
    "show.ip-pool": Text(
        en="{pool} {cidr}: {given} given, {resting} resting, {reserved} reserved, {free} free",
        id="{pool} {cidr}: {given} dipakai, {resting} istirahat, {reserved} dicadangkan, {free} "
        "bebas",
    ),
    "column.since": Text(en="since", id="sejak"),
}
