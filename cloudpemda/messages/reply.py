"""Texts of the inbox: what is wrong with a folder, and what replies say to OPD staff."""

from cloudpemda.messages import Text

TEXTS = {
    "inbox.no-opd": Text(
        en="this folder is called like no OPD; the documents in it were not read",
        id="folder ini tidak bernama seperti OPD mana pun; dokumen di dalamnya tidak dibaca",
        next_en="Rename it to the OPD's code, one of: {known}.",
        next_id="Ganti namanya dengan kode OPD, salah satu dari: {known}.",
    ),
    "inbox.open-root": Text(
        en="others can put folders into {directory} (mode {mode}, owner uid {owner}), and so ask "
        "for any OPD",
        id="pihak lain dapat menaruh folder di {directory} (mode {mode}, pemilik uid {owner}), "
        "sehingga dapat meminta untuk OPD mana pun",
        next_en="Give it to cloudpemda's account and take the others' right to write: chmod go-w.",
        next_id="Jadikan milik akun cloudpemda dan cabut hak tulis pihak lain: chmod go-w.",
    ),
    "inbox.open-folder": Text(
        en="everybody may write into this folder (mode {mode}, owner uid {owner}); it was not read",
        id="siapa saja dapat menulis di folder ini (mode {mode}, pemilik uid {owner}); folder "
        "tidak dibaca",
        next_en="Leave it to the group of its OPD: chmod o-w.",
        next_id="Sisakan untuk grup OPD-nya saja: chmod o-w.",
    ),
    "inbox.no-folder": Text(
        en="this document lies in no OPD's folder and was not read",
        id="dokumen ini tidak berada di folder OPD mana pun dan tidak dibaca",
        next_en="Move it into the folder of its OPD, one of: {known}.",
        next_id="Pindahkan ke folder OPD-nya, salah satu dari: {known}.",
    ),
    "inbox.file-name": Text(
        en="the name of this file has signs that cannot be shown, or more than {most} bytes",
        id="nama berkas ini memuat tanda yang tidak dapat ditampilkan, atau lebih dari {most} bita",
        next_en="Rename it: letters, digits, points and hyphens are enough.",
        next_id="Ganti namanya: huruf, angka, titik, dan tanda hubung sudah cukup.",
    ),
    "inbox.folder-full": Text(
        en="not read: the documents of this folder before it are {most_mib} MiB already",
        id="tidak dibaca: dokumen sebelumnya di folder ini sudah {most_mib} MiB",
        next_en="Remove from the folder what is not a request, or is one no longer.",
        next_id="Keluarkan dari folder apa yang bukan, atau bukan lagi, permintaan.",
    ),
    "inbox.day-full": Text(
        en="more than {most} documents, or {most_mib} MiB, of one OPD are not taken in on one day",
        id="dalam satu hari tidak diterima lebih dari {most} dokumen, atau {most_mib} MiB, per OPD",
        next_en="It is taken in tomorrow. If it cannot wait, an operator may submit it.",
        next_id="Dokumen ini diterima besok. Bila mendesak, operator dapat mengajukannya.",
    ),
    "inbox.other-opd": Text(
        en="the document asks for {claimed}, but lies in the folder of {folder}",
        id="dokumen ini meminta untuk {claimed}, padahal berada di folder {folder}",
        next_en="Write `opd: {folder}`, or have {claimed} put it into their own folder.",
        next_id="Tulis `opd: {folder}`, atau minta {claimed} menaruhnya di folder mereka sendiri.",
    ),
    "inbox.same-request": Text(
        en="the request {name} stands in another file as well: {others}",
        id="permintaan {name} ada juga di berkas lain: {others}",
        next_en="Keep one of the files, or give one of the requests another name.",
        next_id="Simpan satu berkas saja, atau beri salah satu permintaan nama lain.",
    ),
    "inbox.given-away": Text(
        en="{key} ({number}) was given to another OPD: this file is about nothing of yours",
        id="{key} ({number}) telah dialihkan ke OPD lain: berkas ini bukan lagi milik Anda",
        next_en="Move the file away. A document that says something else is a new request.",
        next_id="Pindahkan berkas ini. Dokumen dengan isi lain dianggap permintaan baru.",
    ),
    "inbox.taken": Text(
        en="{file}: {key} is taken in as {number}", id="{file}: {key} diterima sebagai {number}"
    ),
    "inbox.waiting": Text(
        en="{file}: is still being written; the next run takes it",
        id="{file}: masih ditulis; diambil pada giliran berikutnya",
    ),
    "inbox.counted": Text(
        en="{files} files: {taken} taken in, {known} known, {faulty} with faults, {waiting} still "
        "being written; {replies} replies written",
        id="{files} berkas: {taken} diterima, {known} sudah dikenal, {faulty} ada kesalahan, "
        "{waiting} masih ditulis; {replies} balasan ditulis",
    ),
    # -- the reply -------------------------------------------------------------------------
    "reply.by": Text(
        en="For {opd}. Written by cloudpemda; what you change here is not read.",
        id="Untuk {opd}. Ditulis oleh cloudpemda; perubahan di berkas ini tidak dibaca.",
    ),
    "reply.taken": Text(
        en="TAKEN IN: {key} has the number {number}, revision {revision}.",
        id="DITERIMA: {key} bernomor {number}, revisi {revision}.",
    ),
    "reply.invalid": Text(
        en="NOT TAKEN IN: {file} has faults.",
        id="BELUM DITERIMA: ada kesalahan di {file}.",
        next_en="Correct the points below and save the file; it is read again by itself.",
        next_id="Perbaiki butir-butir berikut lalu simpan; berkas dibaca lagi dengan sendirinya.",
    ),
    "reply.refused": Text(
        en="NOT TAKEN IN: {file} can be read, but is not allowed as it is.",
        id="TIDAK DITERIMA: {file} terbaca, tetapi tidak diperbolehkan seperti ini.",
        next_en="Correct the points below and save the file; it is read again by itself.",
        next_id="Perbaiki butir-butir berikut lalu simpan; berkas dibaca lagi dengan sendirinya.",
    ),
    "reply.place": Text(en="line {line}", id="baris {line}"),
    "reply.place-column": Text(
        en="line {line}, column {column}", id="baris {line}, kolom {column}"
    ),
    "reply.before": Text(
        en="What was taken in before stands: {key}, number {number}, revision {revision}.",
        id="Yang diterima sebelumnya tetap berlaku: {key}, nomor {number}, revisi {revision}.",
    ),
    "reply.submitted": Text(
        en="State: taken in, not in the queue yet.",
        id="Keadaan: diterima, belum masuk antrean.",
        next_en="You need not do anything; this reply is renewed.",
        next_id="Anda tidak perlu melakukan apa pun; balasan ini diperbarui.",
    ),
    "reply.pending": Text(
        en="State: waits for a decision. Nothing is held yet.",
        id="Keadaan: menunggu keputusan. Belum ada kuota yang ditahan.",
        next_en="You need not do anything; this reply is renewed when it is decided.",
        next_id="Anda tidak perlu melakukan apa pun; balasan ini diperbarui bila sudah diputuskan.",
    ),
    "reply.awaited": Text(
        en="{decided} of {demanded} decisions are made; awaited: {awaited}.",
        id="Sudah ada {decided} dari {demanded} keputusan; ditunggu: {awaited}.",
    ),
    "reply.approved": Text(
        en="State: APPROVED by {name} at {at}. Quota and room are held until {until}.",
        id="Keadaan: DISETUJUI oleh {name} pada {at}. Kuota dan tempat ditahan sampai {until}.",
        next_en="Diskominfo makes the VMs next. A change to the document now needs a new decision.",
        next_id="Berikutnya Diskominfo membuat VM. Bila dokumen diubah sekarang, keputusan diambil "
        "lagi.",
    ),
    "reply.denied": Text(
        en="State: DENIED. Reason: {reason}",
        id="Keadaan: DITOLAK. Alasan: {reason}",
        next_en="Change {file} as the reason asks and save it: that is a new revision.",
        next_id="Ubah {file} sesuai alasan itu lalu simpan: itu menjadi revisi baru.",
    ),
    "reply.applying": Text(
        en="State: being made.",
        id="Keadaan: sedang dibuat.",
        next_en="Do not change {file} until the VMs are active.",
        next_id="Jangan ubah {file} sampai VM aktif.",
    ),
    "reply.applied": Text(
        en="State: MADE. The VMs live by this revision; some of it may wait for a restart.",
        id="Keadaan: SUDAH DITERAPKAN. VM berjalan menurut revisi ini; sebagian mungkin menunggu "
        "dinyalakan ulang.",
    ),
    "reply.active": Text(en="State: ACTIVE.", id="Keadaan: AKTIF."),
    "reply.retiring": Text(
        en="State: ENDING. The VMs are being stopped. Reason: {reason}",
        id="Keadaan: DIAKHIRI. VM sedang dimatikan. Alasan: {reason}",
        next_en="If they are still needed, tell Diskominfo at once.",
        next_id="Bila masih diperlukan, segera hubungi Diskominfo.",
    ),
    "reply.retired": Text(
        en="State: STOPPED, still kept. The VMs will be removed. Reason: {reason}",
        id="Keadaan: DIMATIKAN, masih disimpan. VM akan dihapus. Alasan: {reason}",
        next_en="If they are still needed, tell Diskominfo at once: until then they can be "
        "brought back with all their data.",
        next_id="Bila masih diperlukan, segera hubungi Diskominfo: sebelum dihapus, VM masih dapat "
        "dikembalikan beserta seluruh datanya.",
    ),
    "reply.vms-ended": Text(
        en="State: ENDED. The VMs are gone. Reason: {reason}",
        id="Keadaan: BERAKHIR. VM sudah dihapus. Alasan: {reason}",
        next_en="Backups are kept for their time: ask Diskominfo. To ask for VMs again, write the "
        "letter's new number or date in {file} and save it.",
        next_id="Cadangan disimpan sampai masa simpannya habis: tanyakan kepada Diskominfo. Untuk "
        "meminta VM lagi, tulis nomor atau tanggal surat yang baru di {file} lalu simpan.",
    ),
    "reply.stuck": Text(
        en="State: making it has stopped half way; Diskominfo sees to it.",
        id="Keadaan: pembuatan macet di tengah jalan; Diskominfo sedang menanganinya.",
        next_en="You need not do anything; ask Diskominfo if it lasts.",
        next_id="Anda tidak perlu melakukan apa pun; tanyakan kepada Diskominfo bila lama.",
    ),
    "reply.failed": Text(
        en="State: making it failed and was taken back. Reason: {reason}",
        id="Keadaan: pembuatan gagal dan dibatalkan. Alasan: {reason}",
        next_en="To ask again, write the letter's new number or date in {file} and save it.",
        next_id="Untuk meminta lagi, tulis nomor atau tanggal surat yang baru di {file} lalu "
        "simpan.",
    ),
    "reply.expired": Text(
        en="State: EXPIRED. It was not decided and made in time; what was held is free again.",
        id="Keadaan: KEDALUWARSA. Tidak diputuskan dan dibuat pada waktunya; penahanannya dilepas.",
        next_en="To ask again, write the letter's new number or date in {file} and save it.",
        next_id="Untuk meminta lagi, tulis nomor atau tanggal surat yang baru di {file} lalu "
        "simpan.",
    ),
    "reply.withdrawn": Text(
        en="State: withdrawn. Reason: {reason}",
        id="Keadaan: ditarik kembali. Alasan: {reason}",
        next_en="To ask again, write the letter's new number or date in {file} and save it.",
        next_id="Untuk meminta lagi, tulis nomor atau tanggal surat yang baru di {file} lalu "
        "simpan.",
    ),
    "reply.change": Text(
        en="A change to it was asked for, revision {revision}:",
        id="Ada permintaan perubahan, revisi {revision}:",
    ),
    "reply.granted": Text(
        en="State: GRANTED: {amounts}, until {until}.",
        id="Keadaan: DIBERIKAN: {amounts}, sampai {until}.",
        next_en="Requests that need it can be handed in from its first day on.",
        next_id="Permintaan yang memerlukannya dapat diserahkan sejak hari pertamanya.",
    ),
    "reply.ended": Text(
        en="State: ENDED. What was granted was taken back or ran out. Reason: {reason}",
        id="Keadaan: BERAKHIR. Yang diberikan ditarik atau habis masanya. Alasan: {reason}",
        next_en="To ask again, write the letter's new number or date in {file} and save it.",
        next_id="Untuk meminta lagi, tulis nomor atau tanggal surat yang baru di {file} lalu "
        "simpan.",
    ),
    "reply.grant-soon": Text(
        en="ENDS SOON: the additional quota is granted until {until}.",
        id="SEGERA BERAKHIR: tambahan kuota diberikan sampai {until}.",
        next_en="Give back what needs it, or ask for it anew before that day.",
        next_id="Kembalikan yang memakainya, atau minta lagi sebelum tanggal itu.",
    ),
    "reply.grant-over": Text(
        en="ENDED: the additional quota was granted until {until}.",
        id="SUDAH BERAKHIR: tambahan kuota diberikan sampai {until}.",
        next_en="What runs goes on; nothing may grow until it fits the limit again.",
        next_id="Yang berjalan tetap berjalan; tidak boleh bertambah sampai sesuai batas lagi.",
    ),
    "reply.delegation-soon": Text(
        en="ENDS SOON: {key} decides for your OPD until {until} (letter {number}).",
        id="SEGERA BERAKHIR: {key} memutus untuk OPD Anda sampai {until} (surat {number}).",
        next_en="Send Diskominfo the next letter where somebody must stand in after that.",
        next_id="Kirim surat berikutnya kepada Diskominfo bila setelah itu masih perlu diwakili.",
    ),
    "reply.permanent": Text(en="for good", id="seterusnya"),
    "reply.hold-soon": Text(
        en="ENDS SOON: what is held for it is free again after {until}.",
        id="SEGERA BERAKHIR: penahanannya dilepas setelah {until}.",
        next_en="Ask Diskominfo when the VMs will be made.",
        next_id="Tanyakan kepada Diskominfo kapan VM dibuat.",
    ),
    "reply.pending-soon": Text(
        en="ENDS SOON: who is to decide has time until {until}; then the request expires.",
        id="SEGERA BERAKHIR: batas waktu keputusan {until}; setelah itu permintaan kedaluwarsa.",
        next_en="Ask those who are to decide.",
        next_id="Tanyakan kepada yang berwenang memutuskan.",
    ),
    "reply.lease-soon": Text(
        en="ENDS SOON: the VMs were asked for until {until}.",
        id="SEGERA BERAKHIR: VM diminta sampai {until}.",
        next_en="If they are still needed, write to Diskominfo before that day.",
        next_id="Bila masih diperlukan, bersuratlah kepada Diskominfo sebelum tanggal itu.",
    ),
    "reply.lease-over": Text(
        en="ENDED: the VMs were asked for until {until}.",
        id="SUDAH BERAKHIR: VM diminta sampai {until}.",
        next_en="Write to Diskominfo whether they are still needed.",
        next_id="Bersuratlah kepada Diskominfo apakah masih diperlukan.",
    ),
    "reply.access": Text(
        en="VM, address, public address, how to log in:",
        id="VM, alamat, alamat publik, cara masuk:",
        next_en="Use the private key that belongs to a public key in the document.",
        next_id="Pakai kunci privat pasangan kunci publik yang tertulis di dokumen.",
    ),
    # -- the index -------------------------------------------------------------------------
    "reply.index": Text(en="REQUESTS OF {opd}", id="DAFTAR PERMINTAAN {opd}"),
    "reply.index-empty": Text(en="No requests yet.", id="Belum ada permintaan."),
    "reply.index-refused": Text(
        en="Not taken in; the reply beside each says why:",
        id="Belum diterima; balasan di sebelahnya menjelaskan sebabnya:",
    ),
    "reply.index-strange": Text(
        en="Not read, since their names do not end in .yaml or .yml:",
        id="Tidak dibaca, karena namanya tidak berakhir dengan .yaml atau .yml:",
    ),
    "reply.column-file": Text(en="file", id="berkas"),
    "reply.no-file": Text(en="(not here)", id="(tidak ada di sini)"),
    "reply.deletion": Text(
        en="Removing or renaming a file withdraws nothing: what was taken in stands.",
        id="Menghapus atau mengganti nama berkas tidak menarik permintaan: yang sudah diterima "
        "tetap berlaku.",
        next_en="To withdraw a request, or to give VMs back, write to Diskominfo with its number.",
        next_id="Untuk menarik permintaan atau mengembalikan VM, bersuratlah kepada Diskominfo "
        "dengan menyebut nomornya.",
    ),
    "reply.state-submitted": Text(en="taken in", id="diterima"),
    "reply.state-change": Text(en="{state} (change: {change})", id="{state} (perubahan: {change})"),
    "reply.state-granted": Text(en="granted", id="diberikan"),
    "reply.state-ended": Text(en="ended", id="berakhir"),
    "reply.state-pending": Text(en="waits for a decision", id="menunggu keputusan"),
    "reply.state-approved": Text(en="approved", id="disetujui"),
    "reply.state-applying": Text(en="being made", id="sedang dibuat"),
    "reply.state-active": Text(en="active", id="aktif"),
    "reply.state-denied": Text(en="denied", id="ditolak"),
    "reply.state-withdrawn": Text(en="withdrawn", id="ditarik kembali"),
    "reply.state-expired": Text(en="expired", id="kedaluwarsa"),
    "reply.state-failed": Text(en="failed", id="gagal"),
    "reply.state-retiring": Text(en="ending", id="diakhiri"),
    "reply.state-retired": Text(en="stopped, kept", id="dimatikan, disimpan"),
    "reply.state-stuck": Text(en="stuck", id="macet"),
}
