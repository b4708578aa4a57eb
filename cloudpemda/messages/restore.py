"""Texts of `vm restore`."""

from cloudpemda.messages import Text

TEXTS = {
    "vm.restore-none": Text(
        en="no restore of {vm} was begun",
        id="belum ada pemulihan {vm} yang dimulai",
        next_en="Say from which backup: cloudpemda vm restore {vm} --from latest --reason …",
        next_id="Sebutkan cadangannya: cloudpemda vm restore {vm} --from latest --reason …",
    ),
    "vm.restore-no-backup": Text(
        en="{vm} has no usable backup that is {source}",
        id="{vm} tidak punya cadangan yang dapat dipakai untuk {source}",
        next_en="`cloudpemda vm backups {vm}` lists them: take a volume, a moment, or latest.",
        next_id="`cloudpemda vm backups {vm}` menampilkannya: pakai volume, waktu, atau latest.",
    ),
    "vm.restore-broken": Text(
        en="the backup {volume} of {vm} failed its verification",
        id="cadangan {volume} milik {vm} gagal diverifikasi",
        next_en="Nothing was changed. Take another one of `cloudpemda vm backups {vm}`.",
        next_id="Tidak ada yang diubah. Pakai yang lain dari `cloudpemda vm backups {vm}`.",
    ),
    "vm.restore-not-its-backup": Text(
        en="the backup {volume} is not of {vm}: it says uid {found}, and not {uid}",
        id="cadangan {volume} bukan milik {vm}: tertulis uid {found}, bukan {uid}",
        next_en="Nothing was changed. It is of another VM that had the same number, or from before "
        "this one was adopted; such a one is restored in PVE, under another number.",
        next_id="Tidak ada yang diubah. Cadangan itu milik VM lain yang pernah memakai nomor yang "
        "sama, atau dari sebelum VM ini diadopsi; pulihkan lewat PVE dengan nomor lain.",
    ),
    "vm.restore-protected": Text(
        en="{vm}: VM {vmid} on {node} is protected in PVE",
        id="{vm}: VM {vmid} di {node} dilindungi di PVE",
        next_en="Nothing was changed. Whoever set the protection may take it off: "
        "qm set {vmid} --protection 0",
        next_id="Tidak ada yang diubah. Yang memasang perlindungan dapat melepasnya: "
        "qm set {vmid} --protection 0",
    ),
    "vm.restore-snapshots": Text(
        en="{vm} has snapshots, which a restore would destroy: {names}",
        id="{vm} punya snapshot yang akan musnah oleh pemulihan: {names}",
        next_en="Nothing was changed. Go back to one (`cloudpemda vm snapshot rollback {vm} "
        "NAME`), or remove them first (`cloudpemda vm snapshot delete {vm} NAME`; those made by "
        "hand in PVE).",
        next_id="Tidak ada yang diubah. Kembali ke salah satunya (`cloudpemda vm snapshot "
        "rollback {vm} NAMA`), atau hapus dahulu (`cloudpemda vm snapshot delete {vm} "
        "NAMA`; yang dibuat langsung di PVE, hapus di PVE).",
    ),
    "vm.restore-changing": Text(
        en="{vm} cannot be restored while {key} is being changed",
        id="{vm} tidak dapat dipulihkan selagi {key} sedang diubah",
        next_en="Finish the change (`cloudpemda apply {key}`) or take it back (`--undo`) first.",
        next_id="Selesaikan dahulu perubahannya (`cloudpemda apply {key}`) atau batalkan "
        "(`--undo`).",
    ),
    "vm.restore-target-away": Text(
        en="{vm} is replicated to {node}, which does not answer",
        id="{vm} direplikasi ke {node}, yang tidak menjawab",
        next_en="Its copies there are of another history after a restore, and must go with their "
        "job. Wait until the node is back, then run it again.",
        next_id="Salinannya di sana berasal dari riwayat lain setelah pemulihan, jadi harus ikut "
        "terhapus. Tunggu node itu kembali, lalu ulangi.",
    ),
    "vm.restore-no-storage": Text(
        en="{vm}: the backup has a disk on {storage}, which {node} does not have",
        id="{vm}: cadangannya punya disk di {storage}, yang tidak ada di {node}",
        next_en="Nothing was changed. Take a newer backup, or give the node that storage.",
        next_id="Tidak ada yang diubah. Pakai cadangan yang lebih baru, atau sediakan storage itu.",
    ),
    "vm.restore-no-room": Text(
        en="{vm}: the restore needs {needed} more on {storage} of {node}, which has {free}",
        id="{vm}: pemulihan perlu {needed} lagi di {storage} pada {node}, yang tersisa {free}",
        next_en="Nothing was changed. PVE destroys before it restores: make room first.",
        next_id="Tidak ada yang diubah. PVE menghapus sebelum memulihkan: sediakan ruang dahulu.",
    ),
    "vm.restore-no-safety": Text(
        en="{vm}: PVE says that the backup beforehand is done, but the storage does not list it",
        id="{vm}: PVE menyatakan cadangan pengaman selesai, tetapi storage tidak menampilkannya",
        next_en="Nothing was destroyed. Look at the task's log; `--no-safety` does without.",
        next_id="Tidak ada yang dihapus. Periksa log tugasnya; `--no-safety` berarti tanpa "
        "pengaman.",
    ),
    "vm.restore-locked": Text(
        en="{key}: VM {vmid} on {node} is locked (create), and no task restores it any more",
        id="{key}: VM {vmid} di {node} terkunci (create), padahal tidak ada tugas yang "
        "memulihkannya lagi",
        next_en="`qm unlock {vmid}` on {node}, then `cloudpemda vm restore {key}` once more.",
        next_id="`qm unlock {vmid}` di {node}, lalu `cloudpemda vm restore {key}` sekali lagi.",
    ),
    "vm.restore-unfinished": Text(
        en="a restore of {vm} is not finished",
        id="pemulihan {vm} belum selesai",
        next_en="`cloudpemda vm restore {vm}` goes on; with --give-up it goes back to work as it "
        "stands. Until then nothing else changes its request.",
        next_id="`cloudpemda vm restore {vm}` melanjutkan; dengan --give-up VM bekerja kembali apa "
        "adanya. Sampai itu selesai, permohonannya tidak diubah oleh perintah lain.",
    ),
    "vm.restore-broken-off": Text(
        en="{vm}: the restore failed at {step}, and its disks may be lost; what stood there "
        "before: {saved}",
        id="{vm}: pemulihan gagal pada {step}, dan disknya mungkin sudah hilang; keadaan "
        "sebelumnya: {saved}",
        next_en="The VM stands still. Remove the cause that follows and run `cloudpemda vm restore "
        "{vm}` again, with --from for another backup.",
        next_id="VM tidak berjalan. Atasi sebab berikut lalu jalankan lagi `cloudpemda vm restore "
        "{vm}`, dengan --from untuk cadangan lain.",
    ),
    "vm.restore-other": Text(
        en="another restore of {vm} was begun or ended meanwhile",
        id="pemulihan lain atas {vm} dimulai atau selesai sementara ini",
        next_en="Nothing was changed. `cloudpemda vm restore {vm}` goes on with one that is not "
        "finished; look at the VM before you begin another.",
        next_id="Tidak ada yang diubah. `cloudpemda vm restore {vm}` melanjutkan yang belum "
        "selesai; periksa VM-nya sebelum memulai yang lain.",
    ),
    "vm.restore-extra-disk": Text(
        en="the backup {volume} of {vm} has disks that nobody asks for any more: {disks}",
        id="cadangan {volume} dari {vm} berisi disk yang tidak lagi diminta: {disks}",
        next_en="Nothing was changed. `cloudpemda vm restore {vm} --from {volume} --as-copy NAME` "
        "shows its data beside the VM; or ask for the disk again first (a change of the request).",
        next_id="Tidak ada yang diubah. `cloudpemda vm restore {vm} --from {volume} --as-copy "
        "NAMA` menampilkan datanya di samping VM; atau minta disknya lagi dahulu (perubahan "
        "permintaan).",
    ),
    "vm.restore-not-begun": Text(
        en="{vm} was not restored: it is as it was before",
        id="{vm} tidak dipulihkan: keadaannya seperti semula",
        next_en="Remove the cause that follows, then run it again.",
        next_id="Atasi sebab berikut, lalu ulangi.",
    ),
    "vm.restore-not-back": Text(
        en="{vm} is not back at work as approved (at {step})",
        id="{vm} belum bekerja kembali sesuai persetujuan (pada {step})",
        next_en="Remove the cause that follows; `cloudpemda vm restore {vm}` goes on.",
        next_id="Atasi sebab berikut; `cloudpemda vm restore {vm}` melanjutkan.",
    ),
    "nightly.restore-unfinished": Text(
        en="{vm}: the restore from {backup} that {by} began at {since} is not finished; what stood "
        "there before: {saved}",
        id="{vm}: pemulihan dari {backup} yang dimulai {by} pada {since} belum selesai; keadaan "
        "sebelumnya: {saved}",
        next_en="`cloudpemda vm restore {vm}` goes on; --give-up ends it.",
        next_id="`cloudpemda vm restore {vm}` melanjutkan; --give-up mengakhirinya.",
    ),
    "vm.copy-name": Text(
        en="{name} cannot name a copy",
        id="{name} tidak dapat menjadi nama salinan",
        next_en="Take 2 to 20 small letters, digits and -, a letter first.",
        next_id="Pakai 2 sampai 20 huruf kecil, angka, dan -, diawali huruf.",
    ),
    "vm.copy-taken": Text(
        en="{vm} has a copy {name} already",
        id="{vm} sudah punya salinan {name}",
        next_en="Take another name, or remove it first: cloudpemda vm copy delete {vm} {name}",
        next_id="Pakai nama lain, atau hapus dahulu: cloudpemda vm copy delete {vm} {name}",
    ),
    "vm.copies-full": Text(
        en="{vm} has {most} copies, and may not have more",
        id="{vm} sudah punya {most} salinan, dan tidak boleh lebih",
        next_en="Remove one: cloudpemda vm copy delete {vm} NAME",
        next_id="Hapus salah satu: cloudpemda vm copy delete {vm} NAMA",
    ),
    "vm.no-copy": Text(
        en="{vm} has no copy {name}",
        id="{vm} tidak punya salinan {name}",
        next_en="`cloudpemda vm copy list {vm}` shows those there are.",
        next_id="`cloudpemda vm copy list {vm}` menampilkan yang ada.",
    ),
    "vm.copy-undone": Text(
        en="the copy {name} of {vm} was not made, and nothing of it is left",
        id="salinan {name} dari {vm} tidak jadi dibuat, dan tidak ada yang tersisa",
        next_en="It is charged no more. Remove the cause that follows, then run it again.",
        next_id="Tidak lagi dibebankan. Atasi sebab berikut, lalu ulangi.",
    ),
    "vm.copy-unfinished": Text(
        en="the copy {name} of {vm} is not finished",
        id="salinan {name} dari {vm} belum selesai",
        next_en="Run the same command again: it goes on. `cloudpemda vm copy delete {vm} {name}` "
        "takes it back.",
        next_id="Jalankan perintah yang sama: dilanjutkan. `cloudpemda vm copy delete {vm} {name}` "
        "membatalkannya.",
    ),
    "vm.copy-stays": Text(
        en="the copy {name} of {vm} was not destroyed, and stays charged",
        id="salinan {name} dari {vm} tidak dihapus, dan tetap dibebankan",
        next_en="Remove the cause that follows (one that runs is shut down in PVE), then run it "
        "again.",
        next_id="Atasi sebab berikut (yang berjalan dimatikan dahulu di PVE), lalu ulangi.",
    ),
    "nightly.copy-old": Text(
        en="the copy {name} of {vm} was wanted until {until} by {by}",
        id="salinan {name} dari {vm} diperlukan sampai {until} oleh {by}",
        next_en="Remove it: cloudpemda vm copy delete {vm} {name}",
        next_id="Hapus: cloudpemda vm copy delete {vm} {name}",
    ),
    "nightly.copy-unfinished": Text(
        en="the copy {name} of {vm} that {by} wanted is half made or half gone, and charged",
        id="salinan {name} dari {vm} yang diminta {by} setengah jadi atau setengah terhapus, dan "
        "dibebankan",
        next_en="`cloudpemda vm copy delete {vm} {name}` removes it; `cloudpemda vm restore {vm} "
        "--as-copy {name}` goes on with its making.",
        next_id="`cloudpemda vm copy delete {vm} {name}` menghapusnya; `cloudpemda vm restore {vm} "
        "--as-copy {name}` melanjutkan pembuatannya.",
    ),
    "show.vm-no-copies": Text(en="no copies", id="tidak ada salinan"),
    "show.vm-copy": Text(
        en="{key}: VM {vmid} on {place}, as of {taken}, off and unplugged, until {until}, {who}, "
        "charged {charged}: {what}",
        id="{key}: VM {vmid} di {place}, keadaan {taken}, mati dan tidak terhubung, sampai "
        "{until}, {who}, dibebankan {charged}: {what}",
    ),
    "show.vm-copy-ask": Text(
        en="Destroy the copy {name} of {vm}?", id="Hapus salinan {name} dari {vm}?"
    ),
    "show.vm-copy-gone": Text(
        en="the copy {name} of {vm} is gone, and charged no more",
        id="salinan {name} dari {vm} sudah hilang, dan tidak lagi dibebankan",
    ),
    "show.vm-restore": Text(
        en="{vm} would be as it was at {taken}, {age} ago ({backup}); what it has written since is "
        "lost to it.",
        id="{vm} akan menjadi seperti pada {taken}, {age} yang lalu ({backup}); yang ditulis "
        "sesudahnya hilang.",
    ),
    "show.vm-restore-under-way": Text(
        en="It was begun before, and goes on.", id="Sudah dimulai, dan akan dilanjutkan."
    ),
    "show.vm-restore-runs": Text(
        en="It runs, and would be shut down.", id="VM sedang berjalan, dan akan dimatikan."
    ),
    "show.vm-restore-others": Text(
        en="Other in the backup than approved, and put right: {what}",
        id="Berbeda di cadangan dari yang disetujui, dan akan disesuaikan: {what}",
    ),
    "show.vm-restore-kept": Text(
        en="Not in the backup, and kept with the data of now: {what}",
        id="Tidak ada di cadangan, dan tetap dengan data sekarang: {what}",
    ),
    "show.vm-restore-unverified": Text(
        en="This backup was not verified yet.", id="Cadangan ini belum diverifikasi."
    ),
    "show.vm-restore-ask": Text(
        en="Restore {vm}?",
        id="Pulihkan {vm}?",
    ),
    "show.vm-restore-restored": Text(
        en="{vm} is as in {backup}, and runs as approved; what stood there before: {saved}",
        id="{vm} seperti pada {backup}, dan berjalan sesuai persetujuan; keadaan sebelumnya: "
        "{saved}",
    ),
    "show.vm-restore-given-up": Text(
        en="{vm} is back at work as it stands; it was not restored from {backup}",
        id="{vm} bekerja kembali apa adanya; tidak dipulihkan dari {backup}",
    ),
    "show.vm-restore-not-done": Text(
        en="{vm} was not restored from {backup}", id="{vm} tidak dipulihkan dari {backup}"
    ),
}
