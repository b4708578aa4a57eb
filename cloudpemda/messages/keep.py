"""Texts of copies of the ledger, of restoring one, and of comparing it with the clusters."""

from cloudpemda.messages import Text

TEXTS = {
    # -- copies ---------------------------------------------------------------------------------
    "backup.not-set": Text(
        en="site.yaml says nothing of copies of the ledger",
        id="site.yaml tidak menyebut cadangan buku besar",
        next_en="Write `ledgerBackup: {{key: secrets/ledger.key, keep: 14}}` into it, then run "
        "`cloudpemda ledger keygen`.",
        next_id="Tulis `ledgerBackup: {{key: secrets/ledger.key, keep: 14}}` di dalamnya, lalu "
        "jalankan `cloudpemda ledger keygen`.",
    ),
    "backup.no-key": Text(
        en="the key that copies of the ledger are sealed with is not there",
        id="kunci penyegel cadangan buku besar tidak ada",
        next_en="Put it back; for a new site, make it: `cloudpemda ledger keygen`.",
        next_id="Kembalikan; untuk situs baru, buat dengan `cloudpemda ledger keygen`.",
    ),
    "backup.head-behind": Text(
        en="the copy is restored, but {file} could not follow: {cause}",
        id="cadangan sudah dipulihkan, tetapi {file} tidak dapat ditulis: {cause}",
        next_en="Put the cause right: the head follows with the next deed. `audit verify` says "
        "whether it did.",
        next_id="Atasi penyebabnya: berkas itu menyusul pada perbuatan berikutnya. `audit verify` "
        "memastikannya.",
    ),
    "backup.key": Text(
        en="this is no key for copies of the ledger",
        id="ini bukan kunci cadangan buku besar",
        next_en="A key is 64 hex digits. Put the site's own key back; for a new site, remove the "
        "file and run `cloudpemda ledger keygen`.",
        next_id="Kunci terdiri atas 64 digit heksadesimal. Kembalikan kunci situs ini; untuk situs "
        "baru, hapus berkasnya dan jalankan `cloudpemda ledger keygen`.",
    ),
    "backup.key-exists": Text(
        en="{file} is there already",
        id="{file} sudah ada",
        next_en="Keep it: without it the copies made so far cannot be opened. For another key, "
        "move it to a safe place first.",
        next_id="Simpan: tanpa kunci itu cadangan yang sudah ada tidak dapat dibuka. Untuk kunci "
        "lain, pindahkan dahulu ke tempat aman.",
    ),
    "backup.key-unwritable": Text(
        en="the key {file} could not be written: {cause}",
        id="kunci {file} tidak dapat ditulis: {cause}",
        next_en="Put the cause right, then run the command again.",
        next_id="Atasi penyebabnya, lalu jalankan lagi perintahnya.",
    ),
    "backup.exists": Text(
        en="{file} is there already; a copy is never written over a file",
        id="{file} sudah ada; cadangan tidak pernah menimpa berkas",
        next_en="Name another file, or none: the site's directory then gets a dated one.",
        next_id="Sebut berkas lain, atau tanpa nama: direktori situs mendapat berkas bertanggal.",
    ),
    "backup.file-and-directory": Text(
        en="a file and a directory are named: one of them says where the copy goes",
        id="berkas dan direktori disebut bersamaan: cukup salah satu",
        next_en="cloudpemda ledger backup FILE, or --directory DIR",
        next_id="cloudpemda ledger backup BERKAS, atau --directory DIR",
    ),
    "backup.not-written": Text(
        en="the copy {file} could not be written: {cause}",
        id="cadangan {file} tidak dapat ditulis: {cause}",
        next_en="Nothing was changed. Check the directory, its rights and its space.",
        next_id="Tidak ada yang diubah. Periksa direktori, hak akses dan ruangnya.",
    ),
    "backup.unreadable": Text(
        en="the copy cannot be read: {cause}",
        id="cadangan tidak dapat dibaca: {cause}",
        next_en="Check its name and rights; `cloudpemda ledger backup` says where copies go.",
        next_id="Periksa nama dan hak aksesnya; `cloudpemda ledger backup` menyebut letaknya.",
    ),
    "backup.not-one": Text(
        en="this is no copy that `cloudpemda ledger backup` made",
        id="ini bukan cadangan yang dibuat `cloudpemda ledger backup`",
        next_en="Name a file that it made (*.ledger).",
        next_id="Sebut berkas buatan perintah itu (*.ledger).",
    ),
    "backup.wrong-key": Text(
        en="this copy was sealed with another key than the site's",
        id="cadangan ini disegel dengan kunci lain, bukan kunci situs",
        next_en="Nothing was changed. Put the key of that time in the place that site.yaml names "
        "(ledgerBackup.key), mode 0600.",
        next_id="Tidak ada yang diubah. Letakkan kunci pada masa itu di tempat yang disebut "
        "site.yaml (ledgerBackup.key), mode 0600.",
    ),
    "backup.damaged": Text(
        en="this copy was cut off or changed since it was written",
        id="cadangan ini terpotong atau berubah sejak ditulis",
        next_en="Nothing was changed. Use another copy; keep this one if somebody may have edited "
        "it.",
        next_id="Tidak ada yang diubah. Pakai cadangan lain; simpan yang ini bila mungkin diubah "
        "orang.",
    ),
    "backup.other-site": Text(
        en="{file} is a copy of the site {found}; this is {site}",
        id="{file} adalah cadangan situs {found}; ini situs {site}",
        next_en="Nothing was changed. Use that site's directory (--site), or a copy of this one.",
        next_id="Tidak ada yang diubah. Pakai direktori situs itu (--site), atau cadangan situs "
        "ini.",
    ),
    "backup.newer": Text(
        en="{file} was written by a newer version (tables {found}, this one knows {known})",
        id="{file} ditulis versi yang lebih baru (tabel {found}, versi ini mengenal {known})",
        next_en="Nothing was changed. Restore it with the newer cloudpemda.",
        next_id="Tidak ada yang diubah. Pulihkan dengan cloudpemda yang lebih baru.",
    ),
    "backup.audit": Text(
        en="the audit log in {file} is not whole",
        id="catatan audit di dalam {file} tidak utuh",
        next_en="Nothing was changed. Use an older copy, and keep this one as evidence.",
        next_id="Tidak ada yang diubah. Pakai cadangan yang lebih lama, simpan yang ini sebagai "
        "bukti.",
    ),
    "backup.restoring": Text(
        en="another restore of this ledger is running",
        id="pemulihan lain atas buku besar ini sedang berjalan",
        next_en="Wait until it has ended, then look with `cloudpemda ledger verify`.",
        next_id="Tunggu sampai selesai, lalu periksa dengan `cloudpemda ledger verify`.",
    ),
    "backup.present": Text(
        en="there is a ledger here with {entries} audit entries; {file} would take its place",
        id="di sini ada buku besar dengan {entries} catatan audit; {file} akan menggantikannya",
        next_en="Add --yes: the present one is kept first, as a dated copy beside the others.",
        next_id="Tambahkan --yes: yang sekarang disimpan dahulu sebagai cadangan bertanggal.",
    ),
    "backup.not-site": Text(
        en="{file} is a copy of a ledger, not of a site's files",
        id="{file} adalah cadangan buku besar, bukan berkas situs",
        next_en="Name the file with the same date that ends in .site; a ledger is put back by "
        "`cloudpemda ledger restore`.",
        next_id="Sebut berkas bertanggal sama yang berakhiran .site; buku besar dipulihkan dengan "
        "`cloudpemda ledger restore`.",
    ),
    "backup.not-empty": Text(
        en="{directory} is not empty",
        id="{directory} tidak kosong",
        next_en="Name a directory that is empty or not there yet: nothing is written over.",
        next_id="Sebut direktori yang kosong atau belum ada: tidak ada yang ditimpa.",
    ),
    "backup.drc-away": Text(
        en="{directory} is not there",
        id="{directory} tidak ada",
        next_en="Mount what the recovery centre exports there, or correct `ledgerBackup.drc` in "
        "site.yaml.",
        next_id="Pasang (mount) ekspor dari pusat pemulihan di sana, atau betulkan "
        "`ledgerBackup.drc` di site.yaml.",
    ),
    "backup.drc-not-mounted": Text(
        en="{directory} lies on the same file system as the site: nothing of the recovery centre "
        "is mounted there",
        id="{directory} berada di sistem berkas yang sama dengan situs: tidak ada yang terpasang "
        "dari pusat pemulihan",
        next_en="Mount it. Where it is right so (replicated by other means): `mounted: false` "
        "under `ledgerBackup.drc`.",
        next_id="Pasang (mount) dahulu. Bila memang begitu (disalin dengan cara lain): `mounted: "
        "false` di bawah `ledgerBackup.drc`.",
    ),
    "nightly.no-drc-copy": Text(
        en="the night brought no copy of the ledger and the site's files to the recovery centre",
        id="malam ini tidak ada cadangan buku besar dan berkas situs yang sampai ke pusat "
        "pemulihan",
        next_en="See to the cause below; `cloudpemda nightly` tries again.",
        next_id="Atasi sebab berikut; `cloudpemda nightly` mencoba lagi.",
    ),
    "show.site-unpacked": Text(
        en="{count} files of the site {site}, as of {at}, are in {directory}. Secrets were not in "
        "the copy: put the key of the copies and new tokens into secrets/, then restore the ledger "
        "of the same date: `cloudpemda ledger restore`.",
        id="{count} berkas situs {site} per {at} ada di {directory}. Rahasia tidak ikut dalam "
        "cadangan: letakkan kunci cadangan dan token baru di secrets/, lalu pulihkan buku besar "
        "bertanggal sama: `cloudpemda ledger restore`.",
    ),
    "nightly.no-copy": Text(
        en="the night made no copy of the ledger",
        id="tidak ada cadangan buku besar malam ini",
        next_en="See to the cause below; `cloudpemda ledger backup` makes it now.",
        next_id="Atasi sebab berikut; `cloudpemda ledger backup` membuatnya sekarang.",
    ),
    # -- the ledger by itself -------------------------------------------------------------------
    "ledger.damaged": Text(
        en="the ledger's file is damaged: {told}",
        id="berkas buku besar rusak: {told}",
        next_en="Stop everything that uses it, move the file away, keep it, and run "
        "`cloudpemda ledger restore FILE` with the newest copy.",
        next_id="Hentikan semua pemakaian, pindahkan dan simpan berkasnya, lalu jalankan "
        "`cloudpemda ledger restore BERKAS` dengan cadangan terbaru.",
    ),
    "ledger.reference": Text(
        en="row {row} of {table} refers to nothing in {parent}",
        id="baris {row} tabel {table} merujuk sesuatu yang tidak ada di {parent}",
        next_en="The ledger was written past the program. Keep it as evidence and restore a copy.",
        next_id="Buku besar ditulis tanpa lewat program. Simpan sebagai bukti, pulihkan cadangan.",
    ),
    "ledger.negative": Text(
        en="{vm} is charged less than nothing: {dimension} held {held}, in use {committed}",
        id="{vm} dibebani kurang dari nol: {dimension} ditahan {held}, terpakai {committed}",
        next_en="`cloudpemda audit log --subject {vm}` shows its deeds; compare with a copy.",
        next_id="`cloudpemda audit log --subject {vm}` menunjukkan riwayatnya; bandingkan dengan "
        "cadangan.",
    ),
    "ledger.balance-other": Text(
        en="the total of {opd} in {dimension} is kept as {told}, but its postings make {posted}: "
        "quota is judged wrongly",
        id="total {opd} untuk {dimension} tersimpan {told}, padahal jumlah catatannya {posted}: "
        "kuota dinilai keliru",
        next_en="Somebody wrote past the program. `cloudpemda ledger backup`, then `cloudpemda "
        "ledger restore` of that copy, counts all totals again.",
        next_id="Ada yang menulis di luar program. `cloudpemda ledger backup`, lalu `cloudpemda "
        "ledger restore` dari cadangan itu, menghitung ulang semua total.",
    ),
    "ledger.charged-purged": Text(
        en="{vm} is charged although no VM is in the ledger for it",
        id="{vm} dibebani kuota padahal tidak ada VM-nya di buku besar",
        next_en="`cloudpemda audit log --subject {vm}` shows its deeds; compare with a copy.",
        next_id="`cloudpemda audit log --subject {vm}` menunjukkan riwayatnya; bandingkan dengan "
        "cadangan.",
    ),
    "ledger.uncharged": Text(
        en="{vm} is active and charged nothing",
        id="{vm} aktif tetapi tidak dibebani kuota",
        next_en="`cloudpemda audit log --subject {vm}` shows its deeds; compare with a copy.",
        next_id="`cloudpemda audit log --subject {vm}` menunjukkan riwayatnya; bandingkan dengan "
        "cadangan.",
    ),
    "ledger.held-ended": Text(
        en="{key} is {state} and still holds {held} of {dimension}",
        id="{key} berstatus {state} tetapi masih menahan {held} {dimension}",
        next_en="`cloudpemda request show {key}` shows its history; compare with a copy.",
        next_id="`cloudpemda request show {key}` menunjukkan riwayatnya; bandingkan dengan "
        "cadangan.",
    ),
    "ledger.saga-stuck": Text(
        en="work on {key} is stuck ({saga})",
        id="pekerjaan atas {key} macet ({saga})",
        next_en="`cloudpemda apply {key}` shows what a person has to do.",
        next_id="`cloudpemda apply {key}` menunjukkan apa yang harus dilakukan petugas.",
    ),
    "ledger.saga-left": Text(
        en="work on {key} was begun, and nobody is at it ({saga})",
        id="pekerjaan atas {key} sudah dimulai, dan tidak ada yang mengerjakan ({saga})",
        next_en="The same command goes on with it; `cloudpemda nightly` names it. What `apply` "
        "began, `cloudpemda apply --undo {key}` takes back.",
        next_id="Perintah yang sama melanjutkannya; `cloudpemda nightly` menyebutkannya. Yang "
        "dimulai oleh `apply` dibatalkan dengan `cloudpemda apply --undo {key}`.",
    ),
    # -- the ledger and the clusters ------------------------------------------------------------
    "ledger.unreconciled": Text(
        en="the ledger was restored, and what stands on the clusters is not compared with it yet",
        id="buku besar baru dipulihkan, dan belum dibandingkan dengan isi klaster",
        next_en="Run `cloudpemda ledger verify` while every cluster answers; until then nothing is "
        "promised or made.",
        next_id="Jalankan `cloudpemda ledger verify` saat semua klaster menjawab; sebelum itu "
        "tidak ada yang dijanjikan atau dibuat.",
    ),
    "ledger.made-already": Text(
        en="{vm} stands already as VM {vmid} of {cluster}, and the ledger does not know it",
        id="{vm} sudah ada sebagai VM {vmid} di {cluster}, dan buku besar tidak mengenalnya",
        next_en="Restore a newer copy, or take that VM away by hand; then run "
        "`cloudpemda ledger verify`. No second one is made beside it.",
        next_id="Pulihkan cadangan yang lebih baru, atau hapus VM itu dengan tangan; lalu jalankan "
        "`cloudpemda ledger verify`. Tidak dibuat VM kedua di sampingnya.",
    ),
    "reconcile.unread": Text(
        en="{cluster} could not be read whole: what stands there is unknown",
        id="{cluster} tidak terbaca seluruhnya: isinya tidak diketahui",
        next_en="`cloudpemda doctor` says what is missing; then run `cloudpemda ledger verify` "
        "again. A node that will not come back is taken out of its cluster (`pvecm delnode`).",
        next_id="`cloudpemda doctor` menunjukkan sebabnya; lalu jalankan lagi `cloudpemda ledger "
        "verify`. Node yang tidak akan kembali dikeluarkan dari klasternya (`pvecm delnode`).",
    ),
    "reconcile.found": Text(
        en="VM {vmid} ({name}) on {cluster}/{node} is ours (uid {uid}, {vm}), and the ledger does "
        "not know it; it counts for {opd}",
        id="VM {vmid} ({name}) di {cluster}/{node} milik kita (uid {uid}, {vm}), dan buku besar "
        "tidak mengenalnya; dibebankan kepada {opd}",
        next_en="It was made after this copy of the ledger. Restore a newer copy; if there is "
        "none, ask its OPD, then keep it as it is or remove it on the cluster (`qm destroy {vmid}` "
        "on {node}). Its VMID, its name and its use stay taken until then.",
        next_id="VM itu dibuat setelah cadangan ini. Pulihkan cadangan yang lebih baru; bila "
        "tidak ada, tanyakan kepada OPD-nya, lalu biarkan atau hapus di klaster (`qm destroy "
        "{vmid}` di {node}). VMID, nama dan pemakaiannya tetap terhitung sampai saat itu.",
    ),
    "reconcile.absent": Text(
        en="{vm} is {state} in the ledger, but VM {vmid} is not on {cluster}",
        id="{vm} berstatus {state} di buku besar, tetapi VM {vmid} tidak ada di {cluster}",
        next_en="It went after this copy was made, or somebody removed it: ask the OPD. Its quota "
        "stays charged; `cloudpemda plan` says what apply would do.",
        next_id="VM itu dihapus setelah cadangan dibuat, atau oleh orang lain: tanyakan kepada "
        "OPD. Kuotanya tetap terhitung; `cloudpemda plan` menunjukkan tindakan apply.",
    ),
    "reconcile.other": Text(
        en="VM {vmid} on {cluster} is not {vm}: its description says {found}",
        id="VM {vmid} di {cluster} bukan {vm}: deskripsinya menyebut {found}",
        next_en="It is never touched. Find out what became of {vm}; its quota stays charged.",
        next_id="VM itu tidak akan disentuh. Cari tahu apa yang terjadi dengan {vm}; kuotanya "
        "tetap terhitung.",
    ),
    "reconcile.ahead": Text(
        en="{vm} stands on {cluster} as VM {vmid}; the ledger says {state}",
        id="{vm} sudah ada di {cluster} sebagai VM {vmid}; menurut buku besar {state}",
        next_en="It was made after this copy. `cloudpemda apply {key}` goes on with it as it is.",
        next_id="VM itu dibuat setelah cadangan ini. `cloudpemda apply {key}` melanjutkannya.",
    ),
    "reconcile.hold": Text(
        en="{key} is approved in this copy, with a hold until {until}; it may have been decided "
        "otherwise since",
        id="{key} disetujui menurut cadangan ini, kuota ditahan sampai {until}; mungkin sudah "
        "diputuskan lain sesudahnya",
        next_en="Compare with the letters: `cloudpemda request show {key}`, and `cloudpemda "
        "request withdraw {key}` if it is void.",
        next_id="Bandingkan dengan surat: `cloudpemda request show {key}`, dan `cloudpemda "
        "request withdraw {key}` bila sudah tidak berlaku.",
    ),
    # -- what the commands say ------------------------------------------------------------------
    "show.backup-key": Text(
        en="{file} is made. Keep a copy of it elsewhere: without it no copy of the ledger opens.",
        id="{file} dibuat. Simpan salinannya di tempat lain: tanpa kunci itu cadangan tak terbuka.",
    ),
    "show.backup-written": Text(
        en="{file}: {rows} rows, {entries} audit entries, sealed and read back",
        id="{file}: {rows} baris, {entries} catatan audit, disegel dan dibaca kembali",
    ),
    "show.backup-removed": Text(en="{count} older removed", id="{count} yang lama dihapus"),
    "show.backup-restored": Text(
        en="restored the ledger of {at}: {rows} rows, {entries} audit entries",
        id="buku besar per {at} dipulihkan: {rows} baris, {entries} catatan audit",
    ),
    "show.backup-kept": Text(
        en="what was there is in {file} ({lost} audit entries more than the copy)",
        id="yang tadinya ada disimpan di {file} ({lost} catatan audit lebih banyak)",
    ),
    "show.ledger-sound": Text(
        en="the ledger is sound and agrees with the clusters: {entries} audit entries, {instances} "
        "VMs, tables {schema}",
        id="buku besar utuh dan cocok dengan klaster: {entries} catatan audit, {instances} VM, "
        "tabel {schema}",
    ),
    "show.restore-ask": Text(
        en="Replace the present ledger by {file}? What is there is kept first.",
        id="Ganti buku besar sekarang dengan {file}? Yang ada disimpan dahulu.",
    ),
}
