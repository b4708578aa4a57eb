"""Lines that the command line prints about what it did or found."""

from cloudpemda.messages import Text

TEXTS = {
    "show.file-sound": Text(
        en="{file}: {key} is in order, {vms} VMs",
        id="{file}: {key} sudah benar, {vms} VM",
    ),
    "show.file-refused": Text(
        en="{file}: {key} can be read, but is not allowed as it is",
        id="{file}: {key} terbaca, tetapi tidak diperbolehkan seperti ini",
    ),
    "show.submitted": Text(
        en="{key} is taken in as {number}, revision {revision} ({state}); nothing is held yet",
        id="{key} diterima sebagai {number}, revisi {revision} ({state}); belum ada yang ditahan",
    ),
    "show.unchanged": Text(
        en="{key} says what {number} says already (revision {revision}, {state}); nothing changed",
        id="{key} sama dengan {number} (revisi {revision}, {state}); tidak ada perubahan",
    ),
    "show.proposed": Text(
        en="the change to {key} ({number}) is taken in as revision {revision} ({state}); nothing "
        "is held yet, and what lives goes on as it is",
        id="perubahan {key} ({number}) diterima sebagai revisi {revision} ({state}); belum ada "
        "yang ditahan, dan yang berjalan tetap seperti semula",
    ),
    "show.proposal-dropped": Text(
        en="{key} ({number}) is asked for as it lives (revision {revision}): the open change is "
        "{state}, and its hold returned",
        id="{key} ({number}) diminta seperti yang sudah berjalan (revisi {revision}): perubahan "
        "yang terbuka menjadi {state}, dan penahanannya dikembalikan",
    ),
    "show.changes": Text(
        en="Changes of revision {revision} against {against} ({state})",
        id="Perubahan revisi {revision} terhadap {against} ({state})",
    ),
    "show.no-differences": Text(
        en="it says the same; it was asked for anew", id="isinya sama; diminta kembali"
    ),
    "show.restart": Text(en="restart", id="nyalakan ulang"),
    "show.held": Text(en="held for it: {what}", id="ditahan untuknya: {what}"),
    "show.change-approved": Text(
        en="the change to {key} ({number}, revision {revision}) is approved on {cluster}; what "
        "grows is held until {until}",
        id="perubahan {key} ({number}, revisi {revision}) disetujui pada {cluster}; yang "
        "bertambah ditahan sampai {until}",
    ),
    "show.placement-only": Text(
        en="{vm} is apart at placement only: HA may bring it together with others of its group",
        id="{vm} terpisah saat penempatan saja: HA dapat menyatukannya dengan anggota kelompoknya",
    ),
    "show.no-requests": Text(en="no requests", id="tidak ada permintaan"),
    "show.letter": Text(en="letter {number} of {date}", id="surat {number} tanggal {date}"),
    "show.requester": Text(
        en="asked by {name}, {position}, NIP {nip}",
        id="diajukan oleh {name}, {position}, NIP {nip}",
    ),
    "show.reason": Text(en="reason: {reason}", id="alasan: {reason}"),
    "show.approval": Text(
        en="approved by {name} ({role}) at {at}; the hold lasts until {until}",
        id="disetujui oleh {name} ({role}) pada {at}; penahanan berlaku sampai {until}",
    ),
    "show.decided": Text(
        en="{key} ({number}, revision {revision}): {decided} of {demanded} decided; awaited: {who}",
        id="{key} ({number}, revisi {revision}): {decided} dari {demanded} sudah memutus; "
        "ditunggu: {who}",
    ),
    "show.chain": Text(
        en="Decision by {rule}: {decided} of {demanded}",
        id="Keputusan menurut {rule}: {decided} dari {demanded}",
    ),
    "show.chain-class": Text(en="its service class", id="kelas layanannya"),
    "show.chain-quota": Text(en="the default for quota", id="aturan bawaan untuk kuota"),
    "show.chain-or": Text(en=" or ", id=" atau "),
    "show.chain-stage": Text(
        en="{number}. {who}: {have} of {of}", id="{number}. {who}: {have} dari {of}"
    ),
    "show.authority-opd-head": Text(en="head of the OPD", id="kepala OPD"),
    "show.authority-diskominfo": Text(en="Diskominfo", id="Diskominfo"),
    "show.authority-executive": Text(en="leadership", id="pimpinan"),
    "show.authority-rule": Text(en="a rule", id="sebuah aturan"),
    "show.chain-awaited": Text(en="awaited: {who}", id="ditunggu: {who}"),
    "show.chain-nobody": Text(
        en="nobody in people.yaml can decide now: grant somebody the role, or have it delegated by "
        "letter",
        id="tidak ada orang di people.yaml yang dapat memutus sekarang: beri seseorang peran itu, "
        "atau limpahkan dengan surat",
    ),
    "show.chain-earlier": Text(en="counts no more:", id="tidak berlaku lagi:"),
    "show.decision-approve": Text(
        en="approved by {name} ({role}) at {at}, revision {revision}",
        id="disetujui {name} ({role}) pada {at}, revisi {revision}",
    ),
    "show.decision-deny": Text(
        en="denied by {name} ({role}) at {at}, revision {revision}",
        id="ditolak {name} ({role}) pada {at}, revisi {revision}",
    ),
    "show.decision-rule": Text(
        en="approved by rule {rule} at {at}, revision {revision}",
        id="disetujui oleh aturan {rule} pada {at}, revisi {revision}",
    ),
    "show.decision-behalf": Text(
        en=", on behalf of {name} (letter {letter})", id=", atas nama {name} (surat {letter})"
    ),
    "show.approval-built": Text(
        en="approved by {name} ({role}) at {at}",
        id="disetujui oleh {name} ({role}) pada {at}",
    ),
    "show.expiring-hold": Text(
        en="the hold of {key} ({number}) ends at {at}: `cloudpemda apply {key}` before",
        id="penahanan {key} ({number}) berakhir {at}: jalankan `cloudpemda apply {key}` sebelumnya",
    ),
    "show.expiring-pending": Text(
        en="{key} ({number}) waits for a decision and expires at {at}",
        id="{key} ({number}) menunggu keputusan dan kedaluwarsa {at}",
    ),
    "show.expiring-grant": Text(
        en="the additional quota of {key} ({number}) ends at {at}: no growth after that",
        id="tambahan kuota {key} ({number}) berakhir {at}: setelah itu tidak boleh bertambah",
    ),
    "show.expiring-delegation": Text(
        en="the delegation to {key}, letter {number}, ends at {at}: who decides then?",
        id="pelimpahan kepada {key}, surat {number}, berakhir {at}: siapa yang memutus sesudahnya?",
    ),
    "show.expiring-lease": Text(
        en="the VMs of {key} ({number}) are asked for until {at}: hand the document in with a "
        "later `until`, or they are stopped after that and the site's grace",
        id="VM {key} ({number}) diminta sampai {at}: serahkan dokumen dengan `until` yang lebih "
        "lama, jika tidak VM dimatikan setelah itu dan masa tenggang situs",
    ),
    "show.over-lease": Text(
        en="the time of {key} ({number}) ended at {at}: after the site's grace its VMs are "
        "stopped. `cloudpemda leases` tells when",
        id="masa {key} ({number}) berakhir {at}: setelah masa tenggang situs, VM-nya dimatikan. "
        "`cloudpemda leases` menunjukkan waktunya",
    ),
    "show.over-hold": Text(
        en="the hold of {key} ({number}) ended at {at}; the next `cloudpemda nightly` gives it "
        "back. Hand the document in again if it is still needed",
        id="penahanan {key} ({number}) sudah berakhir {at}; `cloudpemda nightly` berikutnya "
        "mengembalikannya. Serahkan lagi dokumennya bila masih diperlukan",
    ),
    "show.over-pending": Text(
        en="{key} ({number}) waited too long and expired at {at}. Hand the document in again if it "
        "is still needed",
        id="{key} ({number}) terlalu lama menunggu dan kedaluwarsa {at}. Serahkan lagi dokumennya "
        "bila masih diperlukan",
    ),
    "show.apart": Text(en="apart", id="terpisah"),
    "show.public": Text(en="public", id="publik"),
    "show.offer-digest": Text(en="offer {digest}", id="tawaran {digest}"),
    "show.plan-digest": Text(en="plan {digest}", id="rencana {digest}"),
    "show.by-rule": Text(
        en="{key} is approved by rule {rule}", id="{key} disetujui oleh aturan {rule}"
    ),
    "show.not-by-rule": Text(
        en="{key} waits for people: rule {rule} did not decide: {why}",
        id="{key} menunggu keputusan orang: aturan {rule} tidak memutus: {why}",
    ),
    "show.offer": Text(en="Offer on cluster {cluster}", id="Tawaran pada klaster {cluster}"),
    "show.n-plus-one": Text(
        en="N+1 holds: after the loss of any one node all HA VMs still fit",
        id="N+1 terpenuhi: bila satu node hilang, semua VM HA tetap tertampung",
    ),
    "show.no-n-plus-one": Text(
        en="N+1 does not hold: the loss of some node leaves HA VMs without a place",
        id="N+1 tidak terpenuhi: bila satu node hilang, ada VM HA yang tidak tertampung",
    ),
    "show.reached": Text(en="{vm} is reached at: {ports}", id="{vm} dapat dijangkau di: {ports}"),
    "show.reached-nowhere": Text(
        en="{vm} is reached at no port", id="{vm} tidak dapat dijangkau di port mana pun"
    ),
    "show.exposed": Text(
        en="{vm} cannot be brought back by HA after the loss of its node ({why})",
        id="{vm} tidak dapat dipulihkan HA bila nodenya hilang ({why})",
    ),
    "show.approved": Text(
        en="{key} ({number}, revision {revision}) is approved on {cluster}; quota and room are "
        "held until {until}",
        id="{key} ({number}, revisi {revision}) disetujui pada {cluster}; kuota dan tempat "
        "ditahan sampai {until}",
    ),
    "show.nothing-approved": Text(
        en="nothing is approved: there is nothing to do",
        id="tidak ada yang disetujui: tidak ada yang perlu dikerjakan",
    ),
    "show.no-changes": Text(
        en="as it shall be: no changes", id="sudah sesuai: tidak ada perubahan"
    ),
    "show.apply-settled": Text(
        en="{key}: as it shall be, nothing was written",
        id="{key}: sudah sesuai, tidak ada yang ditulis",
    ),
    "show.stopping": Text(
        en="stopping at the next safe point; the same command again goes on (Ctrl-C once more: at "
        "once)",
        id="berhenti di titik aman berikutnya; perintah yang sama melanjutkan (Ctrl-C sekali lagi: "
        "seketika)",
    ),
    "show.undone": Text(
        en="{key} was taken back: nothing of it is left, and its hold is returned",
        id="{key} dibatalkan: tidak ada sisanya, dan penahanannya dikembalikan",
    ),
    "show.change-undone": Text(
        en="the change to {key} was taken back: it goes on as it was, and the hold is returned",
        id="perubahan {key} dibatalkan: tetap berjalan seperti semula, dan penahanannya "
        "dikembalikan",
    ),
    "show.change-made": Text(
        en="{key} lives by revision {revision} now",
        id="{key} kini berjalan menurut revisi {revision}",
    ),
    "show.plan-retires": Text(
        en="{vm} is taken away: shut down and kept in quarantine, charged until it is purged",
        id="{vm} diambil: dimatikan dan disimpan di karantina, tetap dibebankan sampai dimusnahkan",
    ),
    "show.restart-needed": Text(
        en="{vm} takes {keys} over at its next restart: `cloudpemda vm restart {vm}` (a restart "
        "from within is not enough)",
        id="{vm} memakai {keys} setelah dinyalakan ulang: `cloudpemda vm restart {vm}` (mulai "
        "ulang dari dalam VM tidak cukup)",
    ),
    "show.applied": Text(en="{key}: {counted} ({state})", id="{key}: {counted} ({state})"),
    "show.as-of": Text(en="as read at {at}", id="dibaca pada {at}"),
    "show.offline": Text(
        en="from the ledger alone, at {at}: no cluster was asked",
        id="hanya dari buku besar, pada {at}: klaster tidak ditanya",
    ),
    "show.no-instances": Text(en="no VMs", id="tidak ada VM"),
    "show.differs": Text(en="{vm} differs: {what}", id="{vm} berbeda: {what}"),
    "show.nothing-waits": Text(
        en="nothing waits for your decision", id="tidak ada yang menunggu keputusan Anda"
    ),
    "show.waiting": Text(
        en="read one with `cloudpemda request show {number}`, then `request approve` or "
        "`request deny --reason`",
        id="baca dengan `cloudpemda request show {number}`, lalu `request approve` atau "
        "`request deny --reason`",
    ),
    "show.recount-sound": Text(
        en="the ledger charges exactly what stands on the clusters",
        id="yang dibebankan buku besar sama dengan yang ada di klaster",
    ),
    "show.grant-letter": Text(
        en="{number}: letter {letter} of {date}, granted by {name}",
        id="{number}: surat {letter} tanggal {date}, diberikan oleh {name}",
    ),
    "show.no-quota": Text(en="no quota lines", id="tidak ada baris kuota"),
    "show.overage": Text(
        en="{opd} stands {more} above its limit of {dimension}: nothing is taken away, and it may "
        "not grow there",
        id="{opd} melebihi batas {dimension} sebesar {more}: tidak ada yang diambil, tetapi tidak "
        "boleh bertambah",
    ),
    "show.limit-unknown": Text(
        en="?: no deed had seen this limit by then",
        id="?: batas ini belum tercatat pada saat itu",
    ),
    "show.quota-sound": Text(
        en="{file}: {key} is in order, a request for quota",
        id="{file}: {key} sudah benar, permohonan kuota",
    ),
    "show.quota-period": Text(en="from {start} until {until}", id="mulai {start} sampai {until}"),
    "show.quota-withdrawn": Text(
        en="{key} is withdrawn; nothing was granted",
        id="{key} ditarik kembali; tidak ada yang diberikan",
    ),
    "show.quota-ended": Text(
        en="{key} is ended: its grants are in force no more; what is in use stays",
        id="{key} diakhiri: tambahan kuotanya tidak berlaku lagi; yang terpakai tetap berjalan",
    ),
    "show.no-grants": Text(en="nothing was granted", id="belum ada tambahan kuota"),
    "show.permanent": Text(en="permanent", id="tetap"),
    "show.refused-by-quota": Text(
        en="refused by quota at {at}, asked by {name}; the numbers of that moment:",
        id="ditolak karena kuota pada {at}, diminta {name}; angka pada saat itu:",
    ),
    "show.no-entries": Text(en="no entries", id="tidak ada catatan"),
    "show.lab-clock": Text(
        en="lab time {now} (rate {rate})", id="waktu lab {now} (kecepatan {rate})"
    ),
    "show.not-served": Text(
        en="{count} calls of PVE {release} that no lab serves; each answers 501:",
        id="{count} panggilan PVE {release} yang tidak dilayani lab; semuanya dijawab 501:",
    ),
    "show.no-faults": Text(en="no faults are armed", id="tidak ada gangguan yang dipasang"),
    "show.night-quiet": Text(
        en="the night found nothing amiss: {vms} VMs judged on all clusters of the site",
        id="malam ini tidak ada temuan: {vms} VM dinilai di semua klaster situs",
    ),
    "show.night-pending": Text(
        en="{count} recovery points are still to come: their VMs are younger than their RPO",
        id="{count} titik pemulihan belum ada: VM-nya lebih muda daripada RPO-nya",
    ),
    "show.night-findings": Text(en="{count} findings", id="{count} temuan"),
    "show.night-opd": Text(en="{opd}:", id="{opd}:"),
    "show.night-site": Text(en="site", id="situs"),
    "show.audit-exported": Text(
        en="wrote {count} entries into {files}; the key's fingerprint: {fingerprint}",
        id="menulis {count} catatan ke {files}; sidik jari kunci: {fingerprint}",
    ),
    "show.audit-export-sound": Text(
        en="{count} entries of {site}, whole and signed by the key {fingerprint}",
        id="{count} catatan {site}, utuh dan ditandatangani kunci {fingerprint}",
    ),
    "show.audit-export-own-key": Text(
        en="{count} entries of {site}, whole; signed by the key that came along: compare its "
        "fingerprint with the one that Diskominfo tells you: {fingerprint}",
        id="{count} catatan {site}, utuh; ditandatangani kunci yang disertakan: cocokkan sidik "
        "jarinya dengan yang diberitahukan Diskominfo: {fingerprint}",
    ),
    "show.audit-reanchored": Text(
        en="a new head file was begun; the log says who did it, and why",
        id="berkas kepala baru dimulai; catatan audit memuat siapa dan alasannya",
    ),
    "show.audit-clock-accepted": Text(
        en="deeds go on by this clock; the log says who accepted it, and why",
        id="tindakan berlanjut menurut jam ini; catatan audit memuat siapa yang menerima dan "
        "alasannya",
    ),
    "show.audit-rotated": Text(
        en="the log is signed with a new key, fingerprint {new}; the old one ({old}…) is "
        "destroyed. Copy audit.key and audit.pub to every host of this ledger, make a new copy of "
        "it (`cloudpemda ledger backup`), and give the fingerprint to whoever verifies exports.",
        id="catatan audit ditandatangani dengan kunci baru, sidik {new}; kunci lama ({old}…) "
        "dimusnahkan. Salin audit.key dan audit.pub ke setiap mesin yang memakai buku besar ini, "
        "buat salinan buku besar baru (`cloudpemda ledger backup`), dan beri tahu sidik itu kepada "
        "pemeriksa ekspor.",
    ),
    "show.night-expired": Text(en="expired: {numbers}", id="kedaluwarsa: {numbers}"),
    "show.audit-sound": Text(
        en="{count} entries, the chain is whole", id="{count} catatan, rantainya utuh"
    ),
    "show.units": Text(
        en="wrote {files}; enable with: systemctl enable --now cloudpemda-{name}@SITE.timer",
        id="menulis {files}; aktifkan: systemctl enable --now cloudpemda-{name}@SITE.timer",
    ),
    "show.site-made": Text(
        en="a site was made in {directory}; read its files, then: cloudpemda --site {directory} "
        "doctor",
        id="situs dibuat di {directory}; baca berkasnya, lalu: cloudpemda --site {directory} "
        "doctor",
    ),
    "show.doctor-sound": Text(en="everything is as it shall be", id="semuanya sesuai"),
    "show.doctor-commands": Text(
        en="As root on {cluster} (of a cluster: on any node), this grants what is missing:",
        id="Sebagai root pada {cluster} (pada klaster: di node mana pun), perintah ini memberi "
        "yang kurang:",
    ),
}
