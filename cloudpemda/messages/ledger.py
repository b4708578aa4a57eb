"""Texts of the ledger: requests, instances, the journal, the audit log and the file itself."""

from cloudpemda.messages import Text

TEXTS: dict[str, Text] = {
    # -- requests and instances -----------------------------------------------------------------
    "ledger.transition": Text(
        en="{subject} is {state}, which does not allow: {event}",
        id="{subject} berstatus {state}, sehingga tidak dapat: {event}",
        next_en="`cloudpemda request show` says where it stands; `cloudpemda apply` continues what "
        "was begun.",
        next_id="`cloudpemda request show` menampilkan keadaannya; `cloudpemda apply` melanjutkan "
        "yang sudah dimulai.",
    ),
    "ledger.transition/approved": Text(
        en="{subject} is approved already, which does not allow: {event}",
        id="{subject} sudah disetujui, sehingga tidak dapat: {event}",
        next_en="To take it back and return its hold: `cloudpemda request withdraw {subject}`.",
        next_id="Untuk membatalkannya dan mengembalikan yang ditahan: "
        "`cloudpemda request withdraw {subject}`.",
    ),
    "ledger.transition/active": Text(
        en="{subject} lives and nothing about it waits, which does not allow: {event}",
        id="{subject} sudah berjalan dan tidak ada yang menunggu, sehingga tidak dapat: {event}",
        next_en="To change it, the OPD hands in the changed document.",
        next_id="Untuk mengubahnya, OPD menyerahkan dokumen yang sudah diubah.",
    ),
    "ledger.transition/denied": Text(
        en="{subject} is denied already, which does not allow: {event}",
        id="{subject} sudah ditolak, sehingga tidak dapat: {event}",
        next_en="The OPD changes the document by the reason in `cloudpemda request show {subject}` "
        "and hands it in again.",
        next_id="OPD mengubah dokumen menurut alasan di `cloudpemda request show {subject}`, lalu "
        "menyerahkannya lagi.",
    ),
    "ledger.transition/withdrawn": Text(
        en="{subject} is withdrawn already, which does not allow: {event}",
        id="{subject} sudah ditarik, sehingga tidak dapat: {event}",
        next_en="Hand the document in again if it is still needed.",
        next_id="Serahkan lagi dokumennya bila masih diperlukan.",
    ),
    "ledger.transition/expired": Text(
        en="{subject} has expired, which does not allow: {event}",
        id="{subject} sudah kedaluwarsa, sehingga tidak dapat: {event}",
        next_en="Hand the document in again if it is still needed.",
        next_id="Serahkan lagi dokumennya bila masih diperlukan.",
    ),
    "ledger.transition/granted": Text(
        en="{subject} is granted already, which does not allow: {event}",
        id="{subject} sudah diberikan, sehingga tidak dapat: {event}",
        next_en="It ends by its date; `cloudpemda request withdraw {subject} --reason …` ends it "
        "before.",
        next_id="Berakhir menurut tanggalnya; `cloudpemda request withdraw {subject} --reason …` "
        "mengakhirinya lebih awal.",
    ),
    "ledger.no-request": Text(
        en="there is no request {key}",
        id="permohonan {key} tidak ada",
        next_en="`cloudpemda request list` and `cloudpemda quota requests` show all; a key looks "
        "like dinkes/simrs, a number like R-2026-0001 or Q-2026-0001.",
        next_id="`cloudpemda request list` dan `cloudpemda quota requests` menampilkan semuanya; "
        "contoh kunci: dinkes/simrs; contoh nomor: R-2026-0001 atau Q-2026-0001.",
    ),
    "ledger.no-revision": Text(
        en="request {number} has no revision {revision}",
        id="permohonan {number} tidak memiliki revisi {revision}",
        next_en="`cloudpemda request show {number}` lists its revisions.",
        next_id="`cloudpemda request show {number}` menampilkan daftar revisinya.",
    ),
    "ledger.no-instance": Text(
        en="there is no VM {key}",
        id="VM {key} tidak ada",
        next_en="Name one VM, such as dinkes/simrs/db-1; `cloudpemda vm list` shows all.",
        next_id="Sebutkan satu VM, misalnya dinkes/simrs/db-1; `cloudpemda vm list` menampilkan "
        "semuanya.",
    ),
    "ledger.revision-moved": Text(
        en="request {number} has a newer revision ({revision}) than the one decided on",
        id="permohonan {number} sudah memiliki revisi lebih baru ({revision})",
        next_en="Read it with `cloudpemda request show {number}`, then decide again.",
        next_id="Baca dengan `cloudpemda request show {number}`, lalu putuskan kembali.",
    ),
    "ledger.offer-changed": Text(
        en="what would be made for {number} differs from the offer that was approved",
        id="yang akan dibuat untuk {number} berbeda dari penawaran yang telah disetujui",
        next_en="The approval is void and its hold returned. Have {number} approved again.",
        next_id="Persetujuan batal dan kuotanya dikembalikan. Mintakan lagi persetujuan {number}.",
    ),
    "ledger.approver-removed": Text(
        en="{who} approved {key} and, by people.yaml, is not entitled to: the approval is void and "
        "its hold returned",
        id="{who} menyetujui {key} tetapi menurut people.yaml tidak berwenang: persetujuan batal "
        "dan kuotanya dikembalikan",
        next_en="Have {key} approved again; removedApprover in site.yaml is the rule for this.",
        next_id="Mintakan lagi persetujuan {key}; aturannya removedApprover di site.yaml.",
    ),
    "ledger.decider-removed": Text(
        en="{who} decided for {key} and, by people.yaml, is not entitled to: what was decided is "
        "void",
        id="{who} sudah memutus {key} tetapi menurut people.yaml tidak berwenang: keputusan yang "
        "sudah ada batal",
        next_en="Its decisions begin anew; `cloudpemda request show {number}` says who is awaited. "
        "The rule is removedApprover in site.yaml.",
        next_id="Keputusannya dimulai lagi; `cloudpemda request show {number}` menyebut siapa yang "
        "ditunggu. Aturannya removedApprover di site.yaml.",
    ),
    "ledger.mandate-ended": Text(
        en="the delegation by which {login} decides on {number} has ended",
        id="pelimpahan yang dipakai {login} untuk memutus {number} sudah berakhir",
        next_en="Whoever holds the post decides; `cloudpemda request show {number}` names them.",
        next_id="Pemegang jabatan yang memutus; lihat `cloudpemda request show {number}`.",
    ),
    "ledger.decided-already": Text(
        en="{login}, or whoever they stand in for, has decided on {number} already",
        id="{login}, atau yang diwakilinya, sudah memutus {number}",
        next_en="`cloudpemda request show {number}` says who is awaited.",
        next_id="`cloudpemda request show {number}` menyebutkan siapa yang ditunggu.",
    ),
    "ledger.stage-moved": Text(
        en="the decisions on {number} moved while this one was made",
        id="keputusan atas {number} berubah saat keputusan ini dibuat",
        next_en="Read `cloudpemda request show {number}`, then decide again.",
        next_id="Baca `cloudpemda request show {number}`, lalu putuskan kembali.",
    ),
    "ledger.day-spent": Text(
        en="{number} would take {opd} over what rule {rule} allows in a day without a person; what "
        "other rules gave counts too",
        id="{number} membuat {opd} melampaui jatah sehari tanpa keputusan orang menurut aturan "
        "{rule}; pemberian aturan lain ikut dihitung",
        next_en="`cloudpemda request show {number}` says who decides.",
        next_id="`cloudpemda request show {number}` menyebutkan siapa yang memutus.",
    ),
    "ledger.reason-missing": Text(
        en="a denial of {subject} needs a reason",
        id="penolakan {subject} memerlukan alasan",
        next_en="Say it with --reason; the requester reads it.",
        next_id="Tulis dengan --reason; pemohon akan membacanya.",
    ),
    "request.reason-long": Text(
        en="the reason has {length} characters, more than {most}",
        id="alasan itu {length} karakter, lebih dari {most}",
        next_en="Say it shorter, and name the letter or record that says more.",
        next_id="Persingkat, dan sebutkan surat atau berkas yang memuat selengkapnya.",
    ),
    "request.reason-signs": Text(
        en="the reason holds control characters: {reason}",
        id="alasan itu memuat karakter kendali: {reason}",
        next_en="Write it again in one line, with plain characters.",
        next_id="Tulis ulang dalam satu baris, dengan karakter biasa.",
    ),
    "ledger.unfinished": Text(
        en="request {number} is not finished: {instances} not active yet",
        id="permohonan {number} belum selesai: {instances} belum aktif",
        next_en="`cloudpemda apply {number}` resumes.",
        next_id="`cloudpemda apply {number}` melanjutkan.",
    ),
    "ledger.instances-left": Text(
        en="request {number} cannot be closed as failed: {instances} not taken back yet",
        id="permohonan {number} belum dapat ditutup sebagai gagal: {instances} belum ditarik",
        next_en="`cloudpemda apply --undo {number}` takes them back.",
        next_id="`cloudpemda apply --undo {number}` menariknya kembali.",
    ),
    "request.change-not-yet": Text(
        en="{key} ({number}) is {state}: while it is being made it takes no change",
        id="{key} ({number}) berstatus {state}: selama sedang dibuat tidak menerima perubahan",
        next_en="Hand the change in once it is active; `cloudpemda request show {number}` says so.",
        next_id="Serahkan perubahan setelah aktif; lihat `cloudpemda request show {number}`.",
    ),
    # -- identity -------------------------------------------------------------------------------
    "ledger.vmids-exhausted": Text(
        en="no VMID from {first} to {last} is free on {cluster}",
        id="tidak ada VMID {first} sampai {last} yang bebas di {cluster}",
        next_en="Retire VMs that are no longer needed, or widen `vmids` in the OPD's file.",
        next_id="Hentikan VM yang tidak diperlukan lagi, atau perlebar `vmids` di berkas OPD.",
    ),
    "ledger.addresses-exhausted": Text(
        en="no address of {pool} is free",
        id="tidak ada alamat {pool} yang bebas",
        next_en="Free addresses that are no longer needed, or widen the network in site.yaml.",
        next_id="Bebaskan alamat yang tidak diperlukan, atau perlebar jaringan di site.yaml.",
    ),
    "ledger.no-network": Text(
        en="network {network} is no longer in site.yaml",
        id="jaringan {network} tidak ada lagi di site.yaml",
        next_en="Put it back, or have the request changed and approved again.",
        next_id="Kembalikan, atau minta permohonannya diubah dan disetujui kembali.",
    ),
    # -- the journal ----------------------------------------------------------------------------
    "journal.busy": Text(
        en="{number} is being worked on by another process ({owner})",
        id="{number} sedang dikerjakan proses lain ({owner})",
        next_en="Wait until process {pid} on {host} has ended, then run the command again.",
        next_id="Tunggu proses {pid} di {host} selesai, lalu jalankan lagi perintahnya.",
    ),
    "journal.lost": Text(
        en="another process has taken over this work; nothing more was written here",
        id="proses lain telah mengambil alih pekerjaan ini; tidak ada lagi yang ditulis di sini",
        next_en="See where it stands with `cloudpemda status`.",
        next_id="Lihat keadaannya dengan `cloudpemda status`.",
    ),
    # -- the audit log --------------------------------------------------------------------------
    "audit.edited": Text(
        en="entry {seq} of the audit log is not what was written",
        id="catatan audit nomor {seq} tidak sesuai dengan yang ditulis semula",
        next_en="Keep the file as evidence, and compare entry {seq} with a backup of the ledger.",
        next_id="Simpan berkas sebagai bukti, dan bandingkan catatan {seq} dengan cadangan.",
    ),
    "ledger.clock-back": Text(
        en="this machine's clock says {now}, but the newest deed in the ledger is of {newest}",
        id="jam mesin ini menunjukkan {now}, tetapi tindakan terbaru di buku besar bertanggal "
        "{newest}",
        next_en="Nothing was changed. Put the clock right (`timedatectl`, `chronyc makestep`; a "
        "lab's: `cloudpemda lab advance`). Is it right, and was ahead before: `cloudpemda audit "
        "accept-clock --reason …`.",
        next_id="Tidak ada yang diubah. Betulkan jamnya (`timedatectl`, `chronyc makestep`; jam "
        "lab: `cloudpemda lab advance`). Bila sudah benar dan sebelumnya terlalu cepat: "
        "`cloudpemda audit accept-clock --reason …`.",
    ),
    "ledger.clock-not-back": Text(
        en="the clock did not go back: no deed is dated after now or after a later one",
        id="jam tidak mundur: tidak ada tindakan yang bertanggal setelah saat ini atau setelah "
        "tindakan berikutnya",
        next_en="There is nothing to accept. See `cloudpemda audit verify`.",
        next_id="Tidak ada yang perlu diterima. Lihat `cloudpemda audit verify`.",
    ),
    "audit.clock-back": Text(
        en="entry {seq} of the audit log is dated before the one it follows ({about}): the clock "
        "was set back",
        id="catatan audit nomor {seq} bertanggal sebelum catatan yang mendahuluinya ({about}): jam "
        "dimundurkan",
        next_en="See what was decided around it (`cloudpemda audit log`): what ends by the clock "
        "may have been used after its end. Then `cloudpemda audit accept-clock --reason …`.",
        next_id="Lihat keputusan di sekitarnya (`cloudpemda audit log`): yang berakhir menurut jam "
        "mungkin dipakai setelah berakhir. Lalu `cloudpemda audit accept-clock --reason …`.",
    ),
    "audit.clock-behind": Text(
        en="this machine's clock is behind the newest entry of the audit log ({seq}, of {about}): "
        "nothing can be written",
        id="jam mesin ini tertinggal dari catatan audit terbaru ({seq}, bertanggal {about}): tidak "
        "ada yang dapat ditulis",
        next_en="Put the clock right (`timedatectl`, `chronyc makestep`). Is it right, and was "
        "ahead before: `cloudpemda audit accept-clock --reason …`.",
        next_id="Betulkan jamnya (`timedatectl`, `chronyc makestep`). Bila sudah benar dan "
        "sebelumnya terlalu cepat: `cloudpemda audit accept-clock --reason …`.",
    ),
    "audit.missing": Text(
        en="the audit log lacks entries from number {seq} on",
        id="catatan audit hilang mulai nomor {seq}",
        next_en="Keep the file as evidence, and look for entry {seq} in a backup of the ledger.",
        next_id="Simpan berkas sebagai bukti, dan cari catatan {seq} di cadangan buku besar.",
    ),
    "audit.truncated": Text(
        en="the end of the audit log is cut off: entries from number {seq} on are gone",
        id="bagian akhir catatan audit terpotong: catatan mulai nomor {seq} hilang",
        next_en="Keep the file as evidence; if an older ledger was restored, note it as such.",
        next_id="Simpan berkas sebagai bukti; bila buku besar lama dipulihkan, catat hal itu.",
    ),
    "audit.rewritten": Text(
        en="the audit log was written anew: entry {seq} differs from the head file",
        id="catatan audit ditulis ulang: catatan {seq} berbeda dari berkas kepala (audit.head)",
        next_en="Keep both files as evidence, and compare the log with a backup of the ledger.",
        next_id="Simpan kedua berkas sebagai bukti, dan bandingkan dengan cadangan buku besar.",
    ),
    "audit.head-missing": Text(
        en="the head file of the audit log (audit.head) is gone or unreadable; last entry: {seq}",
        id="berkas kepala catatan audit (audit.head) hilang atau rusak; catatan terakhir: {seq}",
        next_en="Without it a cut end cannot be seen. Copy the newest file of audit.heads, or one "
        "from a backup, to its place.",
        next_id="Tanpa berkas itu, akhir yang terpotong tidak terlihat. Salin berkas terbaru dari "
        "audit.heads, atau dari cadangan, ke tempatnya.",
    ),
    "audit.no-head": Text(
        en="{file}, or the key that proves it, is gone: an export without them proves nothing",
        id="{file}, atau kunci pembuktinya, hilang: ekspor tanpa itu tidak membuktikan apa pun",
        next_en="See `cloudpemda audit verify`, which says what is missing and how to go on.",
        next_id="Lihat `cloudpemda audit verify`, yang menyebut apa yang hilang dan langkahnya.",
    ),
    "audit.export-scope": Text(
        en="{login} may not read the whole site's log",
        id="{login} tidak boleh membaca seluruh catatan situs",
        next_en="Name one of your OPDs: `cloudpemda audit export FILE --opd CODE`.",
        next_id="Sebutkan salah satu OPD Anda: `cloudpemda audit export FILE --opd CODE`.",
    ),
    "audit.export-exists": Text(
        en="{file} is there already; an export never replaces a file",
        id="{file} sudah ada; ekspor tidak pernah menimpa berkas",
        next_en="Name another file.",
        next_id="Sebutkan berkas lain.",
    ),
    "audit.export-unwritten": Text(
        en="{file} could not be written: {cause}",
        id="{file} tidak dapat ditulis: {cause}",
        next_en="Put the cause right, or name another place.",
        next_id="Atasi penyebabnya, atau sebutkan tempat lain.",
    ),
    "audit.no-export": Text(
        en="this is no export of an audit log, or it was damaged",
        id="ini bukan ekspor catatan audit, atau berkasnya rusak",
        next_en="Take a file that `cloudpemda audit export` wrote; a CSV file needs its .proof "
        "beside it.",
        next_id="Gunakan berkas dari `cloudpemda audit export`; berkas CSV memerlukan berkas "
        ".proof di sampingnya.",
    ),
    "audit.no-public-key": Text(
        en="this is no public key",
        id="ini bukan kunci publik",
        next_en="Take the site's var/audit.pub.",
        next_id="Gunakan var/audit.pub milik situs.",
    ),
    "audit.key-alone": Text(
        en="--key is for --export: the site's own log is checked by its own key",
        id="--key hanya untuk --export: catatan situs diperiksa dengan kuncinya sendiri",
        next_en="Name the export, too, or leave the key out.",
        next_id="Sebutkan juga berkas ekspornya, atau jangan sebutkan kunci.",
    ),
    "audit.at-alone": Text(
        en="--at names one day; --since and --until name others",
        id="--at menunjuk satu hari; --since dan --until menunjuk yang lain",
        next_en="Give --at alone, or --since and --until.",
        next_id="Pakai --at saja, atau --since dan --until.",
    ),
    "audit.moment": Text(
        en="{text} is no date or moment",
        id="{text} bukan tanggal atau waktu",
        next_en="Write 2026-11-20, or 2026-11-20T08:00 with a time of the site's zone.",
        next_id="Tulis 2026-11-20, atau 2026-11-20T08:00 dengan jam zona situs.",
    ),
    "audit.forged": Text(
        en="entry {seq} of the audit log was not written by this site's program: its signature is "
        "wrong",
        id="catatan audit nomor {seq} tidak ditulis program situs ini: tanda tangannya salah",
        next_en="Keep the ledger as evidence, and find out who can write into its database.",
        next_id="Simpan buku besar sebagai bukti, dan cari tahu siapa yang dapat menulis ke basis "
        "datanya.",
    ),
    "audit.opd-missing": Text(
        en="the audit log of {about} lacks entries from its number {seq} on",
        id="catatan audit {about} hilang mulai nomor urutnya {seq}",
        next_en="Ask Diskominfo for a fresh export, and compare the two.",
        next_id="Minta ekspor baru dari Diskominfo, lalu bandingkan keduanya.",
    ),
    "audit.head-forged": Text(
        en="{about}, a head of the audit log (entry {seq}), was not signed by this site",
        id="{about}, kepala catatan audit (catatan {seq}), tidak ditandatangani situs ini",
        next_en="Keep it as evidence, and compare it with a copy kept elsewhere.",
        next_id="Simpan sebagai bukti, dan bandingkan dengan salinan di tempat lain.",
    ),
    "audit.head-rolled-back": Text(
        en="audit.head was replaced by an older one: {about} knows entry {seq}",
        id="audit.head diganti dengan yang lebih lama: {about} mengenal catatan {seq}",
        next_en="Keep both as evidence. If an older ledger was restored, say so: "
        "`cloudpemda audit reanchor --reason …`.",
        next_id="Simpan keduanya sebagai bukti. Bila buku besar lama dipulihkan, nyatakan: "
        "`cloudpemda audit reanchor --reason …`.",
    ),
    "audit.row-changed": Text(
        en="{about} is not what entry {seq} of the audit log says was written",
        id="{about} tidak sesuai dengan yang ditulis menurut catatan audit nomor {seq}",
        next_en="Keep the ledger as evidence, and compare these rows with a backup of it.",
        next_id="Simpan buku besar sebagai bukti, dan bandingkan baris ini dengan cadangannya.",
    ),
    "audit.row-forged": Text(
        en="{about} was put into the ledger past the program: no entry up to {seq} speaks of it",
        id="{about} dimasukkan ke buku besar tanpa program: tidak ada catatan sampai {seq} yang "
        "menyebutnya",
        next_en="Keep the ledger as evidence, and find out who can write into its database.",
        next_id="Simpan buku besar sebagai bukti, dan cari tahu siapa yang dapat menulis ke basis "
        "datanya.",
    ),
    "audit.key-missing": Text(
        en="the key that signs the audit log is not here ({file}, fingerprint {wanted}…)",
        id="kunci yang menandatangani catatan audit tidak ada di sini ({file}, sidik {wanted}…)",
        next_en="Nothing was changed. Copy audit.key and audit.head from a host that works on this "
        "ledger, or bring them back from a backup; is the key lost everywhere, `cloudpemda audit "
        "rotate-key --lost --reason …` makes a new one.",
        next_id="Tidak ada yang diubah. Salin audit.key dan audit.head dari mesin lain yang "
        "memakai buku besar ini, atau pulihkan dari cadangan; bila kunci hilang di semua tempat, "
        "`cloudpemda audit rotate-key --lost --reason …` membuat yang baru.",
    ),
    "audit.no-key": Text(
        en="neither the key of the audit log nor its public half is there: no signature up to "
        "entry {seq} can be proven",
        id="kunci catatan audit maupun kunci publiknya tidak ada: tanda tangan sampai catatan "
        "{seq} tidak dapat dibuktikan",
        next_en="Bring audit.key or audit.pub back from a backup.",
        next_id="Pulihkan audit.key atau audit.pub dari cadangan.",
    ),
    "audit.key-other": Text(
        en="{file} ({found}…) is not the key that signs this ledger's audit log ({wanted}…)",
        id="{file} ({found}…) bukan kunci yang menandatangani catatan audit buku besar ini "
        "({wanted}…)",
        next_en="Nothing was changed. Copy audit.key and audit.pub from the host that made the "
        "ledger, changed its key (`audit rotate-key`) or restored it, or bring them back from a "
        "backup.",
        next_id="Tidak ada yang diubah. Salin audit.key dan audit.pub dari mesin yang membuat buku "
        "besar, mengganti kuncinya (`audit rotate-key`) atau memulihkannya, atau pulihkan dari "
        "cadangan.",
    ),
    "audit.key-there": Text(
        en="the key that signs the audit log is here ({file}): it is not lost",
        id="kunci yang menandatangani catatan audit ada di sini ({file}): tidak hilang",
        next_en="Leave --lost out: the old key then vouches for the new one.",
        next_id="Jangan pakai --lost: kunci lama lalu menjamin kunci baru.",
    ),
    "audit.no-public": Text(
        en="{file} is not the public half of the key that was lost: nothing of the past could be "
        "proven any more",
        id="{file} bukan bagian publik dari kunci yang hilang: masa lalu tidak dapat dibuktikan "
        "lagi",
        next_en="Bring audit.pub back; the first line of each export has it under `key`.",
        next_id="Pulihkan audit.pub; baris pertama tiap ekspor memuatnya pada `key`.",
    ),
    "audit.key-unusable": Text(
        en="{file} cannot be used as a key: unreadable, open to others, or no Ed25519 key",
        id="{file} tidak dapat dipakai sebagai kunci: tak terbaca, terbuka bagi orang lain, atau "
        "bukan kunci Ed25519",
        next_en="Nothing was changed. Close it with `chmod 600 {file}`, or bring it back from a "
        "backup.",
        next_id="Tidak ada yang diubah. Tutup dengan `chmod 600 {file}`, atau pulihkan dari "
        "cadangan.",
    ),
    "audit.not-vouched": Text(
        en="{number} is not built: the database says what the audit log does not ({about})",
        id="{number} tidak dibuat: isi basis data tidak sesuai dengan catatan audit ({about})",
        next_en="Somebody changed the database past the program. Run `audit verify`, and restore "
        "a sound copy (`ledger restore`).",
        next_id="Basis data diubah di luar program. Jalankan `audit verify`, lalu pulihkan salinan "
        "yang utuh (`ledger restore`).",
    ),
    "audit.unsound": Text(
        en="the audit log itself is not whole; a new head would hide that",
        id="catatan audit sendiri tidak utuh; kepala baru akan menutupinya",
        next_en="Nothing was changed. Restore a sound ledger first; the faults are named below.",
        next_id="Tidak ada yang diubah. Pulihkan dulu buku besar yang utuh; kesalahannya di bawah.",
    ),
    "audit.head-unwritable": Text(
        en="what was asked is done and recorded, but {file} could not be written: {cause}",
        id="permintaan sudah dikerjakan dan dicatat, tetapi {file} tidak dapat ditulis: {cause}",
        next_en="Put the cause right; the next command that writes brings the file up to date.",
        next_id="Atasi penyebabnya; perintah berikutnya yang menulis akan memperbarui berkas itu.",
    ),
    # -- the file -------------------------------------------------------------------------------
    "ledger.url": Text(
        en="{url} is not a ledger that this version can open",
        id="{url} bukan buku besar (ledger) yang dapat dibuka versi ini",
        next_en="Write sqlite:///var/ledger.sqlite3 or postgresql+psycopg://USER@HOST/NAME in "
        "site.yaml (ledger).",
        next_id="Tulis sqlite:///var/ledger.sqlite3 atau postgresql+psycopg://USER@HOST/NAMA di "
        "site.yaml (ledger).",
    ),
    "ledger.url-password": Text(
        en="{url} has a password in it: site.yaml is no place for secrets",
        id="{url} memuat kata sandi: site.yaml bukan tempat rahasia",
        next_en="Take it out; give it by PGPASSFILE, ~/.pgpass or PGPASSWORD.",
        next_id="Hapus dari sana; berikan lewat PGPASSFILE, ~/.pgpass atau PGPASSWORD.",
    ),
    "ledger.exposed": Text(
        en="{path} is open to other users (mode {mode})",
        id="{path} terbuka bagi pengguna lain (mode {mode})",
        next_en="Close it with `chmod go-rwx {path}`, then run the command again.",
        next_id="Tutup dengan `chmod go-rwx {path}`, lalu jalankan lagi perintahnya.",
    ),
    "ledger.identity": Text(
        en="the ledger {file} is of a site where logins count; this site believes asserted names",
        id="buku besar {file} milik situs yang memakai login; situs ini percaya nama yang disebut",
        next_en="Use the ledger's own site directory, or write identity: login in site.yaml.",
        next_id="Pakai direktori situs aslinya, atau tulis identity: login di site.yaml.",
    ),
    "ledger.newer": Text(
        en="the ledger was written by a newer version (tables {found}, this one knows {known})",
        id="buku besar ditulis versi yang lebih baru (tabel {found}, versi ini mengenal {known})",
        next_en="Use the newer cloudpemda; an older one would damage the ledger.",
        next_id="Gunakan cloudpemda yang lebih baru; versi lama dapat merusak buku besar.",
    ),
    "ledger.busy": Text(
        en="the ledger is held by another process for too long",
        id="buku besar terlalu lama dipakai proses lain",
        next_en="Nothing was changed. Run the command again; `fuser {file}` names the process.",
        next_id="Tidak ada yang diubah. Jalankan lagi; `fuser {file}` menunjukkan prosesnya.",
    ),
    "ledger.unsure": Text(
        en="the connection to the ledger {file} was lost while the deed was being recorded: it is "
        "done as a whole, or not at all",
        id="sambungan ke buku besar {file} putus saat tindakan sedang dicatat: sudah tercatat "
        "seluruhnya, atau tidak sama sekali",
        next_en="Look how it stands (request show); where nothing has changed, do it again.",
        next_id="Lihat keadaannya (request show); bila tidak ada yang berubah, ulangi.",
    ),
    "ledger.unavailable": Text(
        en="the ledger {file} cannot be used: {cause}",
        id="buku besar {file} tidak dapat dipakai: {cause}",
        next_en="Nothing was changed. Of a file, check the disk's space and the owner; of a "
        "server, that it runs at this address and lets this account in.",
        next_id="Tidak ada yang diubah. Untuk berkas, periksa ruang disk dan pemiliknya; untuk "
        "server, apakah ia berjalan di alamat itu dan menerima akun ini.",
    ),
}
