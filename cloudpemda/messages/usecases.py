"""Texts of the use cases."""

from cloudpemda.messages import Text

TEXTS = {
    "record.exists": Text(
        en="{file} is there already",
        id="{file} sudah ada",
        next_en="Name another file: a recording is never overwritten.",
        next_id="Beri nama berkas lain: rekaman tidak pernah ditimpa.",
    ),
    "record.not-writable": Text(
        en="{file} cannot be written",
        id="{file} tidak dapat ditulis",
        next_en="Check that its directory exists and that you may write there.",
        next_id="Pastikan direktorinya ada dan Anda boleh menulis di sana.",
    ),
    "record.which": Text(
        en="which cluster is to be recorded? {asked} is none of: {known}",
        id="klaster mana yang akan direkam? {asked} bukan salah satu dari: {known}",
        next_en="Name it: --cluster NAME",
        next_id="Sebutkan: --cluster NAMA",
    ),
    "record.written": Text(
        en="{exchanges} answers of {cluster} (PVE {version}) in {file}: {refused} refused, "
        "{unanswered} without answer, {skipped} skipped for a name that fits no path. Secrets, "
        "addresses and names are removed; read it before you hand it on.",
        id="{exchanges} jawaban {cluster} (PVE {version}) di {file}: {refused} ditolak, "
        "{unanswered} tanpa jawaban, {skipped} dilewati karena namanya tidak sah dalam path. "
        "Rahasia, alamat dan nama sudah dihapus; baca dahulu sebelum diserahkan kepada pihak lain.",
    ),
    "request.not-allowed": Text(
        en="{key} is not allowed as it is ({file})",
        id="{key} tidak diperbolehkan seperti ini ({file})",
        next_en="Correct the points below and hand it in again.",
        next_id="Perbaiki butir-butir berikut lalu serahkan lagi.",
    ),
    "request.not-yours": Text(
        en="{login} may not decide on {key}",
        id="{login} tidak berwenang memutuskan {key}",
        next_en="Ask somebody whom the points below name.",
        next_id="Minta orang yang disebut pada butir-butir berikut.",
    ),
    "request.denied": Text(en="{key} is denied", id="{key} ditolak"),
    "request.was-withdrawn": Text(en="{key} is withdrawn", id="{key} ditarik kembali"),
    "offer.no-place": Text(
        en="no production cluster can take {key} now",
        id="tidak ada klaster produksi yang dapat menampung {key} sekarang",
        next_en="Ask for less, or wait until Diskominfo has added room.",
        next_id="Kurangi permintaan, atau tunggu Diskominfo menambah kapasitas.",
    ),
    "look.state": Text(
        en="{state} is no state of a request",
        id="{state} bukan keadaan permintaan",
        next_en="The states: {known}.",
        next_id="Keadaan yang ada: {known}.",
    ),
    "plan.not-approved": Text(
        en="{key} is {state}: there is nothing to plan",
        id="{key} berstatus {state}: tidak ada yang direncanakan",
        next_en="`cloudpemda request show {key}` says what it waits for.",
        next_id="`cloudpemda request show {key}` menunjukkan apa yang ditunggu.",
    ),
    "plan.lease-ended": Text(
        en="{key} was asked for until {until}, which is over: it would be stopped as soon as it "
        "stood",
        id="{key} diminta sampai {until}, dan tanggal itu sudah lewat: begitu dibuat akan segera "
        "dihentikan",
        next_en="Hand the document in again with a later `until`; it is decided anew. Or give it "
        "up: `cloudpemda request withdraw {key}`.",
        next_id="Serahkan lagi dokumennya dengan `until` yang lebih lama untuk diputuskan kembali. "
        "Atau tarik: `cloudpemda request withdraw {key}`.",
    ),
    "plan.member-rests": Text(
        en="the change to {key} asks for {vm}, whose former self is {state} and not gone yet",
        id="perubahan {key} meminta {vm}, padahal VM lamanya masih {state} dan belum hilang",
        next_en="To have it back with its data: `cloudpemda request restore {key} --member …`. It "
        "comes back empty only once the former one is purged: `cloudpemda request purge {key} "
        "--confirm {key}` after its quarantine.",
        next_id="Untuk mengembalikannya beserta data: `cloudpemda request restore {key} --member "
        "…`. VM kosong dengan nama itu baru dapat dibuat setelah yang lama dimusnahkan: "
        "`cloudpemda request purge {key} --confirm {key}` sesudah masa karantinanya.",
    ),
    "apply.undo-lost": Text(
        en="{vm}: VM {vmid} is gone, so of the change nothing is left there; it is charged as "
        "before the change",
        id="{vm}: VM {vmid} sudah tidak ada, jadi tidak ada perubahan yang perlu dibatalkan di "
        "sana; tetap dibebankan seperti sebelum perubahan",
        next_en="Restore it from its backup under the same VMID, or end it: `cloudpemda request "
        "retire {key} --reason …`, then `cloudpemda request purge {key} --confirm {key} --gone`.",
        next_id="Pulihkan dari cadangannya dengan VMID yang sama, atau akhiri: `cloudpemda "
        "request retire {key} --reason …`, lalu `cloudpemda request purge {key} --confirm {key} "
        "--gone`.",
    ),
    "apply.undo-running": Text(
        en="{vm}: a task that changes VM {vmid} still runs on {node} ({kind}); what it does is not "
        "there to be seen yet",
        id="{vm}: tugas yang mengubah VM {vmid} masih berjalan di {node} ({kind}); hasilnya belum "
        "dapat dilihat",
        next_en="Nothing was taken back. Wait until that task has ended, then run the same command "
        "again.",
        next_id="Tidak ada yang dibatalkan. Tunggu sampai tugas itu selesai, lalu jalankan lagi "
        "perintah yang sama.",
    ),
    "apply.undo-disks": Text(
        en="the change to {key} cannot be taken back without destroying data: {disks}",
        id="perubahan {key} tidak dapat dibatalkan tanpa merusak data: {disks}",
        next_en="Nothing was taken back. A disk that grew does not shrink, and a new one may hold "
        "data: `cloudpemda apply {key}` goes on with the change; hand in the next one after it.",
        next_id="Tidak ada yang dibatalkan. Disk yang sudah membesar tidak dapat mengecil, dan "
        "disk baru mungkin berisi data: `cloudpemda apply {key}` meneruskan perubahan; serahkan "
        "perubahan berikutnya sesudah itu.",
    ),
    "request.other-revision": Text(
        en="{number} stands at revision {revision}, not {asked}: nothing was decided",
        id="{number} sekarang pada revisi {revision}, bukan {asked}: belum ada yang diputuskan",
        next_en="Read what it says now with `cloudpemda request show {number}`, then decide.",
        next_id="Baca isinya sekarang dengan `cloudpemda request show {number}`, lalu putuskan.",
    ),
    "request.change-denied": Text(
        en="the change to {key} is denied; it goes on as it is",
        id="perubahan {key} ditolak; tetap berjalan seperti semula",
    ),
    "request.change-withdrawn": Text(
        en="the change to {key} is withdrawn; it goes on as it is",
        id="perubahan {key} ditarik kembali; tetap berjalan seperti semula",
    ),
    "plan.offer-changed": Text(
        en="{key} would come out different from the offer that was approved",
        id="{key} akan berbeda dari tawaran yang telah disetujui",
        next_en="`cloudpemda request show {key}` shows it; `apply` voids the approval, and it is "
        "decided anew.",
        next_id="`cloudpemda request show {key}` menampilkannya; `apply` membatalkan persetujuan "
        "dan keputusan diambil lagi.",
    ),
    "workload.member": Text(
        en="{key} has no member {member}",
        id="{key} tidak memiliki anggota {member}",
        next_en="The ledger and the request disagree: run `cloudpemda audit verify`.",
        next_id="Buku besar dan permintaan tidak cocok: jalankan `cloudpemda audit verify`.",
    ),
    "apply.interrupted": Text(
        en="stopped at once",
        id="dihentikan seketika",
        next_en="Run the same command again: it goes on from what it finds.",
        next_id="Ulangi perintah yang sama: ia melanjutkan dari keadaan yang ditemukan.",
    ),
    "apply.undo-names": Text(
        en="`--undo` takes back only requests that are named",
        id="`--undo` hanya membatalkan permintaan yang disebut namanya",
        next_en="cloudpemda apply --undo OPD/NAME",
        next_id="cloudpemda apply --undo OPD/NAMA",
    ),
    "apply.undo-active": Text(
        en="{key} is active: `--undo` takes back only what is not finished",
        id="{key} sudah aktif: `--undo` hanya membatalkan yang belum selesai",
        next_en="Nothing was changed. `cloudpemda request retire {key}` ends what lives.",
        next_id="Tidak ada yang diubah. Untuk mengakhirinya: `cloudpemda request retire {key}`.",
    ),
    "apply.undo-begun": Text(
        en="taking back {key} was begun and is not finished",
        id="pembatalan {key} sudah dimulai dan belum selesai",
        next_en="`cloudpemda apply --undo {key}` goes on with it.",
        next_id="`cloudpemda apply --undo {key}` melanjutkannya.",
    ),
    "apply.nothing-to-undo": Text(
        en="nothing of {key} was begun",
        id="belum ada bagian {key} yang dimulai",
        next_en="`cloudpemda request withdraw {key}` takes the request back.",
        next_id="`cloudpemda request withdraw {key}` menarik permintaan itu.",
    ),
    "apply.vm-failed": Text(
        en="{vm} could not be made (step {step}); nothing of it is left",
        id="{vm} tidak dapat dibuat (langkah {step}); tidak ada sisanya",
        next_en="Mend the cause below, then run `cloudpemda apply` again.{commands:lines}",
        next_id="Perbaiki sebab berikut, lalu jalankan `cloudpemda apply` lagi.{commands:lines}",
    ),
    "apply.vm-stuck": Text(
        en="{vm} is stuck at step {step}: it can neither be finished nor taken back by itself",
        id="{vm} macet pada langkah {step}: tidak dapat selesai atau dibatalkan sendiri",
        next_en="Look at it on the cluster and run, in this order:\n{commands:lines}\n"
        "then `cloudpemda apply` again.",
        next_id="Periksa di klaster dan jalankan berurutan:\n{commands:lines}\n"
        "lalu `cloudpemda apply` lagi.",
    ),
    "apply.vm-unfinished": Text(
        en="{vm} is not finished (step {step})",
        id="{vm} belum selesai (langkah {step})",
        next_en="`cloudpemda apply` continues; `cloudpemda apply --undo` takes it back."
        "{commands:lines}",
        next_id="`cloudpemda apply` melanjutkan; `cloudpemda apply --undo` membatalkan."
        "{commands:lines}",
    ),
    "survey.unread": Text(
        en="cluster {cluster} could not be read: its {instances} VMs are unknown",
        id="klaster {cluster} tidak dapat dibaca: {instances} VM-nya tidak diketahui",
        next_en="Nothing was changed because of it. `cloudpemda doctor` says what is missing.",
        next_id="Tidak ada yang diubah karenanya. `cloudpemda doctor` menunjukkan sebabnya.",
    ),
}
