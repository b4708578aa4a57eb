"""Texts of what is done with VMs that live."""

from cloudpemda.messages import Text

TEXTS = {
    "vm.names": Text(
        en="name at least one VM",
        id="sebutkan sedikitnya satu VM",
        next_en="`cloudpemda vm list` shows their keys, as dinkes/simrs/db-1.",
        next_id="`cloudpemda vm list` menampilkan kuncinya, misalnya dinkes/simrs/db-1.",
    ),
    "vm.failed": Text(
        en="{vm}: {verb} did not succeed",
        id="{vm}: {verb} tidak berhasil",
        next_en="The cause follows; run the command again once it is gone.",
        next_id="Sebabnya tertulis berikut; ulangi perintahnya setelah teratasi.",
    ),
    "vm.halted": Text(
        en="{vm}: {verb} was interrupted before its end was seen",
        id="{vm}: {verb} terhenti sebelum hasilnya terlihat",
        next_en="Run the command again: it looks first, and goes on from there.",
        next_id="Jalankan lagi perintahnya: keadaan diperiksa dahulu, lalu dilanjutkan.",
    ),
    "vm.not-for-requesters": Text(
        en="this site does not let requesters {verb} VMs by themselves",
        id="situs ini tidak mengizinkan pemohon melakukan {verb} pada VM sendiri",
        next_en="Ask an operator of Diskominfo; `vms.requesters` in site.yaml says what is let.",
        next_id="Minta operator Diskominfo; `vms.requesters` di site.yaml memuat yang diizinkan.",
    ),
    "vm.moved-on": Text(
        en="{vm} was given to {opd} meanwhile",
        id="{vm} telah dialihkan kepada {opd} sementara ini",
        next_en="Nothing was changed. Run the command again with the name that the VM has now.",
        next_id="Tidak ada yang diubah. Ulangi perintahnya dengan nama VM yang sekarang.",
    ),
    "vm.state": Text(
        en="{vm} is {state}: only a VM that is active can be worked on",
        id="{vm} berstatus {state}: hanya VM yang aktif dapat dikerjakan",
        next_en="`cloudpemda vm show {vm}` says what is under way; wait for it or finish it.",
        next_id="`cloudpemda vm show {vm}` menunjukkan yang sedang berjalan; tunggu atau "
        "selesaikan.",
    ),
    "vm.not-running": Text(
        en="{vm} does not run, so it cannot be restarted",
        id="{vm} tidak berjalan, jadi tidak dapat dinyalakan ulang",
        next_en="Start it: cloudpemda vm start {vm}",
        next_id="Nyalakan: cloudpemda vm start {vm}",
    ),
    "vm.locked": Text(
        en="{vm} is locked ({lock}) by {task} of {user} on {node} since {since}",
        id="{vm} terkunci ({lock}) oleh {task} milik {user} di {node} sejak {since}",
        next_en="Nothing was changed. Wait until that task has ended, then run it again.",
        next_id="Tidak ada yang diubah. Tunggu tugas itu selesai, lalu ulangi.",
    ),
    "vm.lock-left": Text(
        en="{vm} is locked ({lock}), and no task works on it any more",
        id="{vm} terkunci ({lock}), padahal tidak ada tugas yang mengerjakannya lagi",
        next_en="See in PVE what became of the last task; if it left nothing half done: "
        "qm unlock {vmid}",
        next_id="Periksa di PVE hasil tugas terakhir; bila tidak ada yang setengah jadi: "
        "qm unlock {vmid}",
    ),
    "vm.guest-silent": Text(
        en="{vm} was asked to shut down and did not: {text}",
        id="{vm} diminta mati tetapi tidak menurut: {text}",
        next_en="It runs on. Shut it down from inside, or run the command with --hard, which "
        "switches it off.",
        next_id="VM tetap berjalan. Matikan dari dalam, atau pakai --hard yang memutus dayanya.",
    ),
    "vm.does-not-start": Text(
        en="{key}: VM {vmid} was not seen running in time",
        id="{key}: VM {vmid} belum terlihat berjalan pada waktunya",
        next_en="Look at its task log in PVE (under HA: `ha-manager status`), then run it again.",
        next_id="Periksa log tugasnya di PVE (dengan HA: `ha-manager status`), lalu ulangi.",
    ),
    "vm.does-not-stop": Text(
        en="{key}: VM {vmid} was not seen stopped in time",
        id="{key}: VM {vmid} belum terlihat berhenti pada waktunya",
        next_en="Look at its task log in PVE, then run it again, with --hard if need be.",
        next_id="Periksa log tugasnya di PVE, lalu ulangi, bila perlu dengan --hard.",
    ),
    "nightly.vm-runs": Text(
        en="{vm} runs, although {by} has stopped it",
        id="{vm} berjalan, padahal telah dihentikan oleh {by}",
        next_en="`cloudpemda vm start {vm}` says that it may; `cloudpemda vm stop {vm} "
        "--reason …` stops it.",
        next_id="`cloudpemda vm start {vm}` mengizinkannya; `cloudpemda vm stop {vm} --reason …` "
        "menghentikannya.",
    ),
    "vm.snapshot-name": Text(
        en="{name} cannot name a snapshot",
        id="{name} tidak dapat menjadi nama snapshot",
        next_en="Take 2 to 40 letters, digits, - and _, a letter first; current and pending are "
        "PVE's own.",
        next_id="Pakai 2 sampai 40 huruf, angka, - dan _, diawali huruf; current dan pending milik "
        "PVE.",
    ),
    "vm.snapshot-taken": Text(
        en="{vm} has a snapshot {name} already, made by somebody in PVE",
        id="{vm} sudah punya snapshot {name}, dibuat seseorang langsung di PVE",
        next_en="Take another name; `cloudpemda vm snapshot list {vm}` shows those there are.",
        next_id="Pakai nama lain; `cloudpemda vm snapshot list {vm}` menampilkan yang ada.",
    ),
    "vm.no-snapshot": Text(
        en="{vm} has no snapshot {name} of ours",
        id="{vm} tidak punya snapshot {name} yang kita buat",
        next_en="`cloudpemda vm snapshot list {vm}` shows them; one made in PVE by hand is left to "
        "whoever made it.",
        next_id="`cloudpemda vm snapshot list {vm}` menampilkannya; yang dibuat langsung di PVE "
        "diserahkan kepada pembuatnya.",
    ),
    "vm.snapshots-full": Text(
        en="{vm} has {most} snapshots, and may not have more",
        id="{vm} sudah punya {most} snapshot, dan tidak boleh lebih",
        next_en="Remove one: cloudpemda vm snapshot delete {vm} NAME",
        next_id="Hapus salah satu: cloudpemda vm snapshot delete {vm} NAMA",
    ),
    "vm.snapshot-not-newest": Text(
        en="{vm} cannot go back to {name}: on its storage only to its newest snapshot",
        id="{vm} tidak dapat kembali ke {name}: pada storage-nya hanya ke snapshot terbaru",
        next_en="Nothing was changed. Remove the newer ones first, if they may be lost.",
        next_id="Tidak ada yang diubah. Hapus dahulu yang lebih baru, bila boleh hilang.",
    ),
    "vm.snapshot-unseen": Text(
        en="{vm}: PVE says that it is done, but its list of snapshots does not show it",
        id="{vm}: PVE menyatakan selesai, tetapi daftar snapshot tidak menunjukkannya",
        next_en="Look at the VM in PVE, then run the command again.",
        next_id="Periksa VM itu di PVE, lalu ulangi perintahnya.",
    ),
    "nightly.snapshot-old": Text(
        en="{vm}: snapshot {name} of {by} was to be kept until {until}",
        id="{vm}: snapshot {name} milik {by} seharusnya disimpan sampai {until}",
        next_en="It costs disk and slows the VM down: cloudpemda vm snapshot delete {vm} {name}",
        next_id="Snapshot memakan disk dan memperlambat VM: cloudpemda vm snapshot delete {vm} "
        "{name}",
    ),
    "quota.verify-snapshot": Text(
        en="{vm}: snapshot {name} is charged, but {cluster} does not have it",
        id="{vm}: snapshot {name} dibebankan, padahal tidak ada di {cluster}",
        next_en="It was removed by another hand: cloudpemda vm snapshot delete {vm} {name}",
        next_id="Snapshot dihapus pihak lain: cloudpemda vm snapshot delete {vm} {name}",
    ),
    "quota.verify-snapshot-foreign": Text(
        en="{vm}: snapshot {name} on {cluster} was made by another hand and is not charged",
        id="{vm}: snapshot {name} di {cluster} dibuat pihak lain dan tidak dibebankan",
        next_en="Ask whoever made it; remove it in PVE, or take one of ours in its place.",
        next_id="Tanyakan kepada pembuatnya; hapus di PVE, atau ganti dengan snapshot kita.",
    ),
    "vm.no-backup-storage": Text(
        en="{vm}: cluster {cluster} has no backup storage in site.yaml",
        id="{vm}: klaster {cluster} tidak punya penyimpanan cadangan di site.yaml",
        next_en="Name it as `backup` of the cluster, and see what `cloudpemda doctor` says.",
        next_id="Sebutkan sebagai `backup` pada klaster itu, lalu jalankan `cloudpemda doctor`.",
    ),
    "vm.backups-unread": Text(
        en="{vm}: the backups on {storage} of {cluster} could not be read",
        id="{vm}: cadangan di {storage} pada {cluster} tidak terbaca",
        next_en="That is not to say that there are none. See to the storage, then repeat.",
        next_id="Bukan berarti tidak ada. Periksa penyimpanannya, lalu ulangi.",
    ),
    "show.vm-no-backups": Text(en="no backups", id="tidak ada cadangan"),
    "show.vm-verified-yes": Text(en="verified", id="terverifikasi"),
    "show.vm-verified-failed": Text(en="failed", id="gagal"),
    "show.vm-verified-not": Text(en="not yet", id="belum"),
    "show.vm-backup-older": Text(
        en="from before this VM: see whose it is", id="dari sebelum VM ini: pastikan milik siapa"
    ),
    "column.size": Text(en="size", id="ukuran"),
    "column.verified": Text(en="verified", id="diverifikasi"),
    "show.vm-snapshot": Text(
        en="{name}: {when}, {who}, until {until}, charged {charged}: {what}",
        id="{name}: {when}, {who}, sampai {until}, dibebankan {charged}: {what}",
    ),
    "show.vm-no-snapshots": Text(en="no snapshots", id="tidak ada snapshot"),
    "show.vm-snapshot-gone": Text(
        en="{vm}: snapshot {name} is gone, and its disk space given back",
        id="{vm}: snapshot {name} sudah hilang, dan ruang disknya dikembalikan",
    ),
    "show.vm-snapshot-lost": Text(en="not in PVE", id="tidak ada di PVE"),
    "show.vm-snapshot-foreign": Text(en="by hand", id="langsung di PVE"),
    "show.vm-rollback-ask": Text(
        en="Make {vm} as it was at {name}? What it has written since is lost.",
        id="Kembalikan {vm} ke {name}? Yang ditulis sesudahnya akan hilang.",
    ),
    "show.vm-rolled-back": Text(
        en="{vm} is as it was at {name}; replicas follow with their next run",
        id="{vm} kembali seperti pada {name}; replikanya menyusul pada putaran berikutnya",
    ),
    "show.vm-hard-ask": Text(
        en="Switch off {vms} without asking the guest? What it has not written is lost.",
        id="Putus daya {vms} tanpa meminta sistemnya mati? Yang belum tertulis akan hilang.",
    ),
    "show.vm-start": Text(en="{vm} runs", id="{vm} berjalan"),
    "show.vm-start-already": Text(
        en="{vm} runs already; nothing was sent", id="{vm} sudah berjalan; tidak ada yang dikirim"
    ),
    "show.vm-stop": Text(
        en="{vm} is stopped, and stays so until `cloudpemda vm start {vm}`",
        id="{vm} berhenti, dan tetap begitu sampai `cloudpemda vm start {vm}`",
    ),
    "show.vm-stop-already": Text(
        en="{vm} was stopped already, and stays so until `cloudpemda vm start {vm}`",
        id="{vm} memang sudah berhenti, dan tetap begitu sampai `cloudpemda vm start {vm}`",
    ),
    "show.vm-restart": Text(en="{vm} was restarted", id="{vm} telah dinyalakan ulang"),
    "show.vm-effective": Text(
        en="{vm}: {key} {now} → {next} is effective now",
        id="{vm}: {key} {now} → {next} kini berlaku",
    ),
    "show.vm-stopped-by": Text(
        en="{vm} is stopped on purpose since {since} by {person}: {why}",
        id="{vm} sengaja dihentikan sejak {since} oleh {person}: {why}",
    ),
}
