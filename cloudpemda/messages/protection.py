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
    "column.unprotected-disks": Text(en="unprotected disks", id="disk tanpa perlindungan"),
}
