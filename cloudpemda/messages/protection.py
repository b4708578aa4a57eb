"""Texts of `protect status`."""

from cloudpemda.messages import Text

TEXTS = {
    "protect.ha-wrong": Text(
        en="{vm}: HA would not bring it back (state {state}): its resource or rule is not as "
        "promised",
        id="{vm}: HA tidak akan memulihkannya (keadaan {state}): resource atau aturannya tidak "
        "sesuai janji",
        next_en="`cloudpemda drift {vm}` shows what differs; `cloudpemda apply` puts it right.",
        next_id="`cloudpemda drift {vm}` menunjukkan bedanya; `cloudpemda apply` membetulkannya.",
    ),
    "protect.ha-unknown": Text(
        en="{vm}: whether HA would bring it back could not be read",
        id="{vm}: apakah HA akan memulihkannya tidak dapat dibaca",
        next_en="Make the cluster readable again; `cloudpemda doctor` tells what is missing.",
        next_id="Pulihkan akses ke klaster; `cloudpemda doctor` menunjukkan masalahnya.",
    ),
    "protect.promoted": Text(
        en="{vm} runs on {node} on what was its replica: {lost} is lost. Its data is of {at} or "
        "later, as the last night read it that saw a replica",
        id="{vm} berjalan di {node} di atas replikanya, karena {lost} hilang. Datanya dari {at} "
        "atau sesudahnya, menurut malam terakhir yang melihat replikanya",
        next_en="Have its OPD look through what was entered last: whatever reached {lost} alone is "
        "not there. Once {lost} is back, replication overwrites its disks there: save them first "
        "if they are needed.",
        next_id="Minta OPD-nya memeriksa data yang terakhir dimasukkan: yang baru ada di {lost} "
        "tidak terbawa. Setelah {lost} kembali, replikasi menimpa disknya di sana: selamatkan dulu "
        "bila diperlukan.",
    ),
    "protect.differs": Text(
        en="{vm}: its protection is not as its class asks for ({differences})",
        id="{vm}: perlindungannya tidak seperti yang diminta kelasnya ({differences})",
        next_en="`cloudpemda apply` of its request puts it right.",
        next_id="`cloudpemda apply` pada permohonannya membetulkannya.",
    ),
    "protect.disks": Text(
        en="{vm}: unprotected disk: {disks}",
        id="{vm}: disk tanpa perlindungan: {disks}",
        next_en="Move the disk to a storage that can be replicated and let it be backed up, or "
        "have `protect: false` asked for it.",
        next_id="Pindahkan disk itu ke penyimpanan yang dapat direplikasi dan biarkan dicadangkan, "
        "atau ajukan `protect: false` untuknya.",
    ),
    "show.not-verified": Text(en="not yet", id="belum"),
    "show.verified-at": Text(en="good, {at}", id="baik, {at}"),
    "column.rpo-node": Text(en="RPO node", id="RPO node"),
    "column.rpo-site": Text(en="RPO site", id="RPO situs"),
    "column.rto": Text(en="RTO", id="RTO"),
    "column.as-promised": Text(en="as promised", id="sesuai janji"),
    "column.pending": Text(en="new", id="baru"),
    "show.bound": Text(
        en="HA cannot start these elsewhere, since some disks (`protect: false`, or of a storage "
        "that is not replicated) are on their node alone: {vms}",
        id="HA tidak dapat menyalakan VM ini di node lain, karena sebagian disk (`protect: false`, "
        "atau penyimpanannya tidak direplikasi) hanya ada di node-nya: {vms}",
    ),
    "column.bound": Text(en="only on its node", id="hanya di node-nya"),
    "column.promoted": Text(en="runs on its replica of", id="berjalan di replika dari"),
    "column.unprotected-disks": Text(en="unprotected disks", id="disk tanpa perlindungan"),
}
