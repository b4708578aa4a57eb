"""How an instance stands against the RPO of its class, per kind of loss."""

from cloudpemda.messages import Text

_LOOK_REPLICATION = (
    "Look at the replication of the VM on its node; `cloudpemda protect status {vm}` shows it."
)
_LIHAT_REPLIKASI = "Periksa replikasi VM itu di node-nya; lihat `cloudpemda protect status {vm}`."
_LOOK_AWAY = (
    "`cloudpemda protect status {vm}` shows whether the backup, the copy at the recovery centre or "
    "its verification is missing; look at that job, and at the free space there."
)
_LIHAT_DRC = (
    "`cloudpemda protect status {vm}` menunjukkan yang kurang: backup, salinan di DRC, atau "
    "verifikasinya; periksa job itu dan sisa ruangnya."
)
_LOOK_READ = (
    "Make the node, storage or backup server readable again; `cloudpemda doctor` tells what is "
    "missing."
)
_LIHAT_BACA = (
    "Pulihkan akses ke node, storage, atau server backup itu; `cloudpemda doctor` menunjukkan "
    "masalahnya."
)
_LOOK_CLOCK = "Set the clocks of the nodes and of this machine right (chrony)."
_LIHAT_JAM = "Betulkan jam node-node dan mesin ini (chrony)."

TEXTS = {
    "recovery.node-ok": Text(
        en="{vm}: losing its node would cost {age} of work ({rpo} allowed)",
        id="{vm}: bila node-nya hilang, kehilangan data {age} (batas {rpo})",
    ),
    "recovery.site-ok": Text(
        en="{vm}: losing the site would cost {age} of work ({rpo} allowed)",
        id="{vm}: bila pusat data hilang, kehilangan data {age} (batas {rpo})",
    ),
    "recovery.node-pending": Text(
        en="{vm}: new; its first copy against the loss of its node is due within {rpo}",
        id="{vm}: masih baru; salinan pertama terhadap hilangnya node ditunggu dalam {rpo}",
    ),
    "recovery.site-pending": Text(
        en="{vm}: new; its first copy against the loss of the site is due within {rpo}",
        id="{vm}: masih baru; salinan pertama terhadap hilangnya pusat data ditunggu dalam {rpo}",
    ),
    "recovery.node-late": Text(
        en="{vm}: losing its node now would cost {age} of work, {rpo} is allowed ({source})",
        id="{vm}: bila node-nya hilang sekarang, data {age} terakhir hilang; batasnya {rpo}"
        " ({source})",
        next_en=_LOOK_REPLICATION,
        next_id=_LIHAT_REPLIKASI,
    ),
    "recovery.site-late": Text(
        en="{vm}: losing the site now would cost {age} of work, {rpo} is allowed ({source})",
        id="{vm}: bila pusat data hilang sekarang, data {age} terakhir hilang; batasnya {rpo}"
        " ({source})",
        next_en=_LOOK_AWAY,
        next_id=_LIHAT_DRC,
    ),
    "recovery.node-never": Text(
        en="{vm}: losing its node would lose it: copies that its class promises are missing",
        id="{vm}: bila node-nya hilang, VM ini hilang: salinan yang dijanjikan kelasnya tidak ada",
        next_en=_LOOK_REPLICATION,
        next_id=_LIHAT_REPLIKASI,
    ),
    "recovery.site-never": Text(
        en="{vm}: losing the site would lose it: there is no copy that would be left, and at most "
        "{rpo} of work may be lost",
        id="{vm}: bila pusat data hilang, VM ini hilang: tidak ada salinan yang tersisa, padahal "
        "paling banyak data {rpo} boleh hilang",
        next_en=_LOOK_AWAY,
        next_id=_LIHAT_DRC,
    ),
    "recovery.node-unknown": Text(
        en="{vm}: how old its copies against the loss of its node are could not be read",
        id="{vm}: umur salinan terhadap hilangnya node tidak dapat dibaca",
        next_en=_LOOK_READ,
        next_id=_LIHAT_BACA,
    ),
    "recovery.site-unknown": Text(
        en="{vm}: how old its copies against the loss of the site are could not be read",
        id="{vm}: umur salinan terhadap hilangnya pusat data tidak dapat dibaca",
        next_en=_LOOK_READ,
        next_id=_LIHAT_BACA,
    ),
    "recovery.node-clock-skew": Text(
        en="{vm}: a copy of it is dated in the future ({source}): clocks disagree",
        id="{vm}: salinannya bertanggal di masa depan ({source}): jam tidak cocok",
        next_en=_LOOK_CLOCK,
        next_id=_LIHAT_JAM,
    ),
    "recovery.site-clock-skew": Text(
        en="{vm}: its copy against the loss of the site is dated in the future ({source}): clocks "
        "disagree",
        id="{vm}: salinannya terhadap hilangnya pusat data bertanggal di masa depan ({source}): "
        "jam tidak cocok",
        next_en=_LOOK_CLOCK,
        next_id=_LIHAT_JAM,
    ),
    "recovery.node-not-promised": Text(
        en="{vm}: its class promises nothing for the loss of its node",
        id="{vm}: kelasnya tidak menjanjikan apa pun bila node-nya hilang",
    ),
    "recovery.site-not-promised": Text(
        en="{vm}: its class promises nothing for the loss of the site",
        id="{vm}: kelasnya tidak menjanjikan apa pun bila pusat data hilang",
    ),
}
