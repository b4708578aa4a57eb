"""Texts of the copies that a night has made because VMs lack them."""

from cloudpemda.messages import Text

_LATE_EN = (
    "An earlier start of the night (`systemctl edit --full cloudpemda-nightly@….timer`) or a wider "
    "`window` in site.yaml gives it time; `cloudpemda protect window` shows what runs when."
)
_LATE_ID = (
    "Mulailah malam lebih awal (`systemctl edit --full cloudpemda-nightly@….timer`) atau lebarkan "
    "`window` di site.yaml; `cloudpemda protect window` menunjukkan apa berjalan kapan."
)
_OVER_EN = "The next night goes on; `window.catchUp` in site.yaml says how many one night makes."
_OVER_ID = "Malam berikutnya melanjutkan; `window.catchUp` di site.yaml menentukan jumlahnya."

TEXTS = {
    "due.backup-failed": Text(
        en="{vm} has no good backup, and the one that this night wanted to make failed",
        id="{vm} tidak punya cadangan yang baik, dan yang hendak dibuat malam ini gagal",
        next_en="The cause is said below. The next night tries again; `vzdump` can be run by hand "
        "on its node meanwhile.",
        next_id="Penyebabnya disebut di bawah. Malam berikutnya mencoba lagi; sementara itu "
        "`vzdump` dapat dijalankan sendiri di node-nya.",
    ),
    "due.backup-late": Text(
        en="{vm} has no good backup, and one would not end within this night's window",
        id="{vm} tidak punya cadangan yang baik, dan pembuatannya tidak akan selesai dalam jendela "
        "malam ini",
        next_en=_LATE_EN,
        next_id=_LATE_ID,
    ),
    "due.backup-over": Text(
        en="{vm} has no good backup, and this night has made as many as it may",
        id="{vm} tidak punya cadangan yang baik, dan malam ini sudah membuat sebanyak yang "
        "diperbolehkan",
        next_en=_OVER_EN,
        next_id=_OVER_ID,
    ),
    "due.backup-busy": Text(
        en="{vm} has no good backup; its node is at other backups still",
        id="{vm} tidak punya cadangan yang baik; node-nya masih mengerjakan cadangan lain",
        next_en="The next night looks again; `cloudpemda protect window` shows what the node does.",
        next_id="Malam berikutnya memeriksa lagi; `cloudpemda protect window` menunjukkan "
        "pekerjaan node itu.",
    ),
    "due.replication-failed": Text(
        en="{vm} has no good replica, and the run that this night asked for (job {what}) failed",
        id="{vm} tidak punya replika yang baik, dan replikasi yang diminta malam ini (job {what}) "
        "gagal",
        next_en="The cause is said below; PVE tries again by itself, and so does the next night.",
        next_id="Penyebabnya disebut di bawah; PVE mencoba lagi dengan sendirinya, demikian juga "
        "malam berikutnya.",
    ),
    "due.replication-late": Text(
        en="{vm} has no good replica, and a run of job {what} would not end within this night's "
        "window",
        id="{vm} tidak punya replika yang baik, dan replikasi (job {what}) tidak akan selesai "
        "dalam jendela malam ini",
        next_en=_LATE_EN,
        next_id=_LATE_ID,
    ),
    "due.replication-over": Text(
        en="{vm} has no good replica (job {what}), and this night has begun as many copies as it "
        "may",
        id="{vm} tidak punya replika yang baik (job {what}), dan malam ini sudah membuat salinan "
        "sebanyak yang diperbolehkan",
        next_en=_OVER_EN,
        next_id=_OVER_ID,
    ),
    "due.no-backup": Text(
        en="a backup of {vm} was asked for on {node}, and {storage} lists none",
        id="cadangan {vm} diminta di {node}, tetapi tidak ada di {storage}",
        next_en="Read the task's log on the node (`cloudpemda audit log` has its id), then look "
        "whether the storage has room.",
        next_id="Baca log tugasnya di node itu (nomornya ada di `cloudpemda audit log`), lalu "
        "periksa ruang penyimpanannya.",
    ),
    "due.no-job": Text(
        en="the replication job {job} of {vm} is not on {node} any more",
        id="job replikasi {job} milik {vm} tidak ada lagi di {node}",
        next_en="The VM has moved meanwhile, or somebody took the job away; `cloudpemda protect "
        "converge` puts it right.",
        next_id="VM berpindah, atau job-nya dihapus orang; `cloudpemda protect converge` "
        "membetulkannya.",
    ),
    "due.replica-failed": Text(
        en="the replication job {job} of {vm} has failed: {error}",
        id="job replikasi {job} milik {vm} gagal: {error}",
        next_en="Look whether the target node is up and its storage has room (`pvesr status` on "
        "the VM's node).",
        next_id="Periksa apakah node tujuan hidup dan penyimpanannya cukup (`pvesr status` di node "
        "VM itu).",
    ),
    "due.replica-slow": Text(
        en="the replication job {job} of {vm} on {node} has not come to its end in this night's "
        "window",
        id="job replikasi {job} milik {vm} di {node} belum selesai dalam jendela malam ini",
        next_en="It may still run: `pvesr status` on that node. The next night looks again.",
        next_id="Mungkin masih berjalan: `pvesr status` di node itu. Malam berikutnya memeriksa "
        "lagi.",
    ),
}
