"""How an instance stands against the RPO of its class, per kind of loss."""

from cloudpemda.messages import Text

_LOOK_REPLICATION = "Look at the replication of the VM on its node; `cloudpemda status` shows it."
_LIHAT_REPLIKASI = "Periksa replikasi VM itu di node-nya; lihat `cloudpemda status`."
_LOOK_BACKUP = "Look at the backup job of its class and the free space of the backup storage."
_LIHAT_BACKUP = "Periksa job backup kelasnya dan sisa ruang storage backup."
_LOOK_READ = "Make the node or storage readable again; `cloudpemda doctor` tells what is missing."
_LIHAT_BACA = "Pulihkan akses ke node atau storage itu; `cloudpemda doctor` menunjukkan masalahnya."
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
        en="{vm}: new; its first backup is due within {rpo}",
        id="{vm}: masih baru; backup pertamanya ditunggu dalam {rpo}",
    ),
    "recovery.node-late": Text(
        en="{vm}: losing its node now would cost {age} of work, {rpo} is allowed ({source})",
        id="{vm}: bila node-nya hilang sekarang, data {age} terakhir hilang; batasnya {rpo}"
        " ({source})",
        next_en=_LOOK_REPLICATION,
        next_id=_LIHAT_REPLIKASI,
    ),
    "recovery.site-late": Text(
        en="{vm}: its last backup is {age} old, {rpo} is allowed ({source})",
        id="{vm}: backup terakhirnya berumur {age}; batasnya {rpo} ({source})",
        next_en=_LOOK_BACKUP,
        next_id=_LIHAT_BACKUP,
    ),
    "recovery.node-never": Text(
        en="{vm}: losing its node would lose it: copies that its class promises are missing",
        id="{vm}: bila node-nya hilang, VM ini hilang: salinan yang dijanjikan kelasnya tidak ada",
        next_en=_LOOK_REPLICATION,
        next_id=_LIHAT_REPLIKASI,
    ),
    "recovery.site-never": Text(
        en="{vm}: there is no backup of it, its class promises one every {rpo}",
        id="{vm}: belum pernah ada backup, padahal kelasnya menjanjikan satu tiap {rpo}",
        next_en=_LOOK_BACKUP,
        next_id=_LIHAT_BACKUP,
    ),
    "recovery.node-unknown": Text(
        en="{vm}: how old its copies against the loss of its node are could not be read",
        id="{vm}: umur salinan terhadap hilangnya node tidak dapat dibaca",
        next_en=_LOOK_READ,
        next_id=_LIHAT_BACA,
    ),
    "recovery.site-unknown": Text(
        en="{vm}: how old its backups are could not be read",
        id="{vm}: umur backup-nya tidak dapat dibaca",
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
        en="{vm}: its backup is dated in the future ({source}): clocks disagree",
        id="{vm}: backup-nya bertanggal di masa depan ({source}): jam tidak cocok",
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
