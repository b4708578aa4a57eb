"""Texts of the end of workloads: quarantine, purge, and what was left behind."""

from cloudpemda.messages import Text

TEXTS = {
    "retire.not-active": Text(
        en="{key} is {state}: only what lives is retired",
        id="{key} berstatus {state}: hanya yang berjalan yang dapat dipensiunkan",
        next_en="What was never made is withdrawn (`cloudpemda request withdraw {key}`), what is "
        "half made taken back (`cloudpemda apply --undo {key}`).",
        next_id="Yang belum dibuat ditarik (`cloudpemda request withdraw {key}`), yang setengah "
        "jadi dibatalkan (`cloudpemda apply --undo {key}`).",
    ),
    "retire.not-retired": Text(
        en="{key} is {state}: nothing of it is in quarantine",
        id="{key} berstatus {state}: tidak ada yang dikarantina",
        next_en="`cloudpemda request show {key}` tells how far it is; `cloudpemda request retire "
        "{key} --reason …` begins or continues its end.",
        next_id="`cloudpemda request show {key}` menunjukkan keadaannya; `cloudpemda request "
        "retire {key} --reason …` memulai atau melanjutkan pengakhirannya.",
    ),
    "retire.moved-on": Text(
        en="somebody else has worked on {key} meanwhile: it is {state}, and nothing was destroyed",
        id="{key} dikerjakan orang lain sementara ini: statusnya {state}, tidak ada yang dihapus",
        next_en="Look at it (`cloudpemda request show {key}`) and ask who restored or retired it.",
        next_id="Periksa (`cloudpemda request show {key}`) dan tanyakan siapa yang memulihkan atau "
        "mengakhirinya.",
    ),
    "retire.changing": Text(
        en="{key} is being changed",
        id="{key} sedang diubah",
        next_en="Finish that first (`cloudpemda apply {key}`), or take it back (`--undo`).",
        next_id="Selesaikan dahulu (`cloudpemda apply {key}`), atau batalkan (`--undo`).",
    ),
    "retire.confirm": Text(
        en="{said} is not {key}: nothing was purged",
        id="{said} bukan {key}: tidak ada yang dihapus",
        next_en="Purging cannot be undone. If it is meant: `--confirm {key}`.",
        next_id="Penghapusan tidak dapat dibatalkan. Jika memang dimaksud: `--confirm {key}`.",
    ),
    "retire.quarantine-lasts": Text(
        en="{key} is in quarantine until {until}",
        id="{key} dikarantina sampai {until}",
        next_en="The night purges it then. To purge it before: `--now --reason …`.",
        next_id="Setelah itu proses malam menghapusnya. Untuk lebih awal: `--now --reason …`.",
    ),
    "retire.purged-in-part": Text(
        en="{key} cannot come back whole: of it {vms} are purged",
        id="{key} tidak dapat kembali utuh: {vms} sudah dihapus permanen",
        next_en="Purge the rest, then hand the request in anew; backups are kept for their time.",
        next_id="Hapus permanen sisanya, lalu ajukan lagi; cadangannya disimpan selama masanya.",
    ),
    "retire.at-work": Text(
        en="{vm}: a purge of {key} was cut off, and PVE is still at work on VM {vmid}",
        id="{vm}: penghapusan {key} terputus, dan PVE masih mengerjakan VM {vmid}",
        next_en="Say it again when that task has ended (PVE's task log). If the VM is gone then: "
        "`cloudpemda request purge {key} --confirm {key}` ends what was begun.",
        next_id="Ulangi setelah tugas itu selesai (log tugas PVE). Jika VM itu kemudian tidak ada: "
        "`cloudpemda request purge {key} --confirm {key}` menuntaskannya.",
    ),
    "retire.vm-unfinished": Text(
        en="{vm} is not through (step {step}); it stays charged",
        id="{vm} belum selesai (langkah {step}); tetap dibebankan",
        next_en="Put right what is said below, then run the same command again: it goes on. "
        "Nothing else of {key} is held up.",
        next_id="Perbaiki sebab di bawah, lalu jalankan perintah yang sama: pekerjaan dilanjutkan. "
        "Bagian lain dari {key} tidak tertahan.",
    ),
    "retire.member-not-resting": Text(
        en="{key}: {member} is not in quarantine, but {state}",
        id="{key}: {member} tidak di karantina, melainkan {state}",
        next_en="`cloudpemda request show {key}` lists its VMs with their states.",
        next_id="`cloudpemda request show {key}` menampilkan VM-nya beserta statusnya.",
    ),
    "retire.no-member": Text(
        en="{key} has no VM {member}",
        id="{key} tidak mempunyai VM {member}",
        next_en="`cloudpemda request show {key}` lists its VMs with their states.",
        next_id="`cloudpemda request show {key}` menampilkan VM-nya beserta statusnya.",
    ),
    "retire.member-not-asked": Text(
        en="{key}: no approved change asks for {member} again",
        id="{key}: tidak ada perubahan disetujui yang meminta {member} lagi",
        next_en="Hand the document in with it (`count`, or its entry), have it approved, then run "
        "this again: it comes back with its data.",
        next_id="Serahkan dokumennya lagi dengan VM itu (`count`, atau bagiannya), mintakan "
        "persetujuan, lalu ulangi: VM kembali beserta datanya.",
    ),
    "show.member-back": Text(
        en="{key}: {member} is back from quarantine",
        id="{key}: {member} kembali dari karantina",
    ),
    "show.member-not-back": Text(
        en="{key}: {member} is not back yet", id="{key}: {member} belum kembali"
    ),
    "retire.vanished": Text(
        en="{key}: VM {vmid} is not there; it was not this program that removed it",
        id="{key}: VM {vmid} tidak ada; bukan program ini yang menghapusnya",
        next_en="See whether the token still has VM.Audit (`cloudpemda doctor`) and who removed "
        "it. If it is gone: `cloudpemda request purge … --gone`.",
        next_id="Periksa apakah token masih memiliki VM.Audit (`cloudpemda doctor`) dan siapa yang "
        "menghapusnya. Jika memang hilang: `cloudpemda request purge … --gone`.",
    ),
    "retire.not-gone": Text(
        en="{key}: VM {vmid} is there (last on {node}), or that it is not cannot be said: it was "
        "not released",
        id="{key}: VM {vmid} ada (terakhir di {node}), atau belum dapat dipastikan hilang: tidak "
        "dilepas",
        next_en="`--gone` is for VMs that another hand has removed, with every node of the "
        "cluster answering (`cloudpemda doctor`). One that is there: `cloudpemda request retire` "
        "stops it, then purge it.",
        next_id="`--gone` hanya untuk VM yang dihapus pihak lain, dan semua node klaster harus "
        "menjawab (`cloudpemda doctor`). VM yang masih ada: hentikan dengan `cloudpemda request "
        "retire`, lalu hapus permanen.",
    ),
    "retire.gone-unread": Text(
        en="{key}: node {node} cannot be read, and may keep copies of VM {vmid}, which is gone",
        id="{key}: node {node} tidak dapat dibaca, dan mungkin menyimpan salinan VM {vmid} yang "
        "sudah hilang",
        next_en="Once the node answers, run the same command again: it finds what is left there.",
        next_id="Setelah node itu menjawab, jalankan perintah yang sama: sisa di sana ditemukan.",
    ),
    "retire.foreign": Text(
        en="{key}: VM {vmid} on {node} does not carry our uid and role: it was left untouched",
        id="{key}: VM {vmid} di {node} tidak memuat uid dan peran kita: tidak disentuh",
        next_en="Find out whose it is. If ours is gone for good: `cloudpemda request purge … "
        "--gone` releases it and does not touch the other.",
        next_id="Cari pemiliknya. Jika VM kita memang sudah hilang: `cloudpemda request purge … "
        "--gone` melepasnya tanpa menyentuh VM lain itu.",
    ),
    "retire.protected": Text(
        en="{key}: VM {vmid} on {node} has PVE's protection",
        id="{key}: VM {vmid} di {node} memakai proteksi PVE",
        next_en="Somebody set it by hand: ask why. Then `qm set {vmid} --protection 0` and again.",
        next_id="Ada yang memasangnya: tanyakan alasannya. Lalu `qm set {vmid} --protection 0` "
        "dan ulangi.",
    ),
    "retire.locked": Text(
        en="{key}: VM {vmid} on {node} is locked ({lock}): something is at work on it",
        id="{key}: VM {vmid} di {node} terkunci ({lock}): sedang dikerjakan",
        next_en="Wait for the task to end and run the same again; a lock whose task has died goes "
        "by `qm unlock {vmid}`.",
        next_id="Tunggu tugasnya selesai lalu ulangi; kunci yang tugasnya sudah mati dibuka dengan "
        "`qm unlock {vmid}`.",
    ),
    "retire.runs": Text(
        en="{key}: VM {vmid} on {node} runs although it is in quarantine",
        id="{key}: VM {vmid} di {node} berjalan padahal dikarantina",
        next_en="Somebody started it: ask whether it is needed. Stop it by hand to purge it, or "
        "`cloudpemda request restore`.",
        next_id="Ada yang menyalakannya: tanyakan apakah masih diperlukan. Matikan untuk "
        "menghapusnya, atau `cloudpemda request restore`.",
    ),
    "retire.keeps-running": Text(
        en="{key}: VM {vmid} still runs although it was switched off",
        id="{key}: VM {vmid} tetap berjalan walaupun sudah dimatikan",
        next_en="Look at its last tasks in PVE, then run the same command again.",
        next_id="Periksa tugas terakhirnya di PVE, lalu jalankan perintah yang sama.",
    ),
    "retire.left": Text(
        en="{key}: VM {vmid} is gone, but this still refers to it: {what}",
        id="{key}: VM {vmid} sudah hilang, tetapi masih dirujuk oleh: {what}",
        next_en="Remove that in PVE, then run the same command again.",
        next_id="Hapus itu di PVE, lalu jalankan perintah yang sama.",
    ),
    "retire.second-copy": Text(
        en="{vm}: a second copy of it stands as VM {vmid} on {cluster}/{node}, with role {role}",
        id="{vm}: salinan keduanya ada sebagai VM {vmid} di {cluster}/{node}, peran {role}",
        next_en="Decide which of both is the real one, and remove the other by hand, before "
        "anything is purged.",
        next_id="Putuskan mana yang asli dan hapus yang lain secara manual sebelum ada yang "
        "dihapus.",
    ),
    "retire.in-recovery": Text(
        en="{vm}: its copy VM {vmid} (role {role}) runs on {cluster}/{node}: a recovery is at work",
        id="{vm}: salinannya VM {vmid} (peran {role}) berjalan di {cluster}/{node}: pemulihan "
        "sedang berlangsung",
        next_en="Purge it when the recovery is over and the copy is stopped.",
        next_id="Hapus setelah pemulihan selesai dan salinannya dimatikan.",
    ),
    "retire.copies-unread": Text(
        en="cluster {cluster} cannot be read: whether a recovery runs there is unknown",
        id="klaster {cluster} tidak dapat dibaca: tidak diketahui apakah ada pemulihan di sana",
        next_en="Nothing is purged until it answers: `cloudpemda doctor`.",
        next_id="Tidak ada yang dihapus sampai klaster menjawab: `cloudpemda doctor`.",
    ),
    "retire.copy-unread": Text(
        en="VM {vmid} on {cluster}/{node} cannot be read: whether it is a copy is unknown",
        id="VM {vmid} di {cluster}/{node} tidak dapat dibaca: tidak diketahui apakah itu salinan",
        next_en="Nothing is purged until its node answers.",
        next_id="Tidak ada yang dihapus sampai nodenya menjawab.",
    ),
    "orphans.unread": Text(
        en="{volume} on {cluster}/{node}: the node cannot be read; the volume stays charged",
        id="{volume} di {cluster}/{node}: node tidak dapat dibaca; volume tetap dibebankan",
        next_en="It is cleaned by the night once the node answers, or by `cloudpemda orphans "
        "clean`.",
        next_id="Dibersihkan proses malam setelah node menjawab, atau dengan `cloudpemda orphans "
        "clean`.",
    ),
    "orphans.name": Text(
        en="{volume} on {cluster}/{node} is not named after VM {vmid}: it was not touched",
        id="{volume} di {cluster}/{node} tidak bernama VM {vmid}: tidak disentuh",
        next_en="Look at it by hand (`pvesm list`).",
        next_id="Periksa secara manual (`pvesm list`).",
    ),
    "orphans.vmid-used": Text(
        en="{volume} on {cluster}/{node}: VMID {vmid} has been given to another VM since: the "
        "volume was not touched",
        id="{volume} di {cluster}/{node}: VMID {vmid} sudah dipakai VM lain: volume tidak disentuh",
        next_en="Find out whose the volume is, and remove it by hand if it is nobody's.",
        next_id="Cari pemilik volume itu; hapus secara manual jika memang bukan milik siapa pun.",
    ),
    "orphans.referred": Text(
        en="{volume} on {cluster}/{node} is used by VM {vm}: it was not touched",
        id="{volume} di {cluster}/{node} dipakai VM {vm}: tidak disentuh",
        next_en="Find out why VM {vm} has it.",
        next_id="Cari tahu mengapa VM {vm} memakainya.",
    ),
    "orphans.stays": Text(
        en="{volume} on {cluster}/{node} is still there although it was deleted",
        id="{volume} di {cluster}/{node} masih ada walaupun sudah dihapus",
        next_en="Look at the task log of the node, then run `cloudpemda orphans clean` again.",
        next_id="Periksa log tugas node itu, lalu jalankan lagi `cloudpemda orphans clean`.",
    ),
    "show.request-active": Text(en="{key} lives: {count} VMs", id="{key} berjalan: {count} VM"),
    "show.request-retiring": Text(
        en="{key} is being retired: {count} VMs are left",
        id="{key} sedang dipensiunkan: tersisa {count} VM",
    ),
    "show.request-retired": Text(
        en="{key} is in quarantine with {count} VMs until {until}; `cloudpemda request restore "
        "{key}` brings it back",
        id="{key} dikarantina bersama {count} VM sampai {until}; `cloudpemda request restore "
        "{key}` mengembalikannya",
    ),
    "show.request-ended": Text(
        en="{key} has ended: its VMs are gone; its backups stay for their time",
        id="{key} sudah berakhir: VM-nya dihapus; cadangannya disimpan sampai masa simpannya habis",
    ),
    "show.orphan": Text(
        en="{volume} on {place}, {size}, of {vm}, since {since}",
        id="{volume} di {place}, {size}, milik {vm}, sejak {since}",
    ),
    "show.status-orphans": Text(
        en="volumes that purged VMs left behind, charged: {count} (`cloudpemda orphans list`; "
        "`orphans clean` deletes what can be)",
        id="volume yang tertinggal dari VM yang sudah dihapus, dibebankan: {count} (`cloudpemda "
        "orphans list`; `orphans clean` menghapus yang bisa dihapus)",
    ),
    "show.no-orphans": Text(en="nothing was left behind", id="tidak ada yang tertinggal"),
    "show.orphans-cleaned": Text(
        en="{cleaned} cleaned, {left} left", id="{cleaned} dibersihkan, {left} tersisa"
    ),
    "show.lease-running": Text(en="runs", id="berjalan"),
    "show.lease-ends-soon": Text(en="ends soon", id="segera berakhir"),
    "show.lease-grace": Text(en="over, in grace", id="berakhir, masa tenggang"),
    "show.lease-retiring": Text(en="being stopped", id="sedang dimatikan"),
    "show.lease-quarantine": Text(en="in quarantine", id="dikarantina"),
    "show.leases-stopped": Text(en="in quarantine now: {keys}", id="sekarang dikarantina: {keys}"),
    "show.leases-ended": Text(en="ended: {keys}", id="berakhir: {keys}"),
    "show.leases-cleaned": Text(
        en="{count} volumes that were left behind are cleaned",
        id="{count} volume yang tertinggal sudah dibersihkan",
    ),
    "ledger.unretired": Text(
        en="request {number}: {instances} not as far yet",
        id="permohonan {number}: {instances} belum sejauh itu",
        next_en="Run the command that was begun again: it goes on.",
        next_id="Jalankan lagi perintah yang sudah dimulai: pekerjaan dilanjutkan.",
    ),
}
