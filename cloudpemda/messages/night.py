"""Texts of the night."""

from cloudpemda.messages import Text

TEXTS = {
    "nightly.running": Text(
        en="another night is running on this site",
        id="proses malam lain sedang berjalan di situs ini",
        next_en="Wait for it to end.",
        next_id="Tunggu sampai selesai.",
    ),
    "nightly.overage": Text(
        en="{opd} stands {short} above its limit of {dimension}: {used} of {limit}",
        id="{opd} melebihi batas {dimension} sebesar {short}: {used} dari {limit}",
        next_en="Nothing is taken away, and nothing may grow there. Have {opd} give back, or hand "
        "in a QuotaRequest with its letter.",
        next_id="Tidak ada yang diambil dan tidak boleh bertambah. Minta {opd} mengembalikan, atau "
        "mengajukan QuotaRequest dengan suratnya.",
    ),
    "nightly.overgrown": Text(
        en="on the clusters {opd} uses {used} of {dimension}, {short} above its limit of {limit}, "
        "and the ledger charges less",
        id="di klaster {opd} memakai {dimension} {used}, {short} di atas batas {limit}, sedangkan "
        "yang dibebankan di buku besar lebih kecil",
        next_en="`cloudpemda quota verify {opd}` names each VM that differs, with the cause.",
        next_id="`cloudpemda quota verify {opd}` menyebut tiap VM yang berbeda beserta sebabnya.",
    ),
    "nightly.overgrown-vm": Text(
        en="{vm} was grown by hand: its OPD is charged for {more} that nobody approved",
        id="{vm} diperbesar dengan tangan: OPD-nya dibebani {more} yang tidak pernah disetujui",
        next_en="`cloudpemda drift {vm}` tells what differs and who puts it right.",
        next_id="`cloudpemda drift {vm}` menyebut bedanya dan siapa yang memulihkannya.",
    ),
    "nightly.request-stuck": Text(
        en="{key} is stuck: a person is needed",
        id="{key} macet: perlu tindakan petugas",
        next_en="`cloudpemda apply {key}` shows the commands again.",
        next_id="`cloudpemda apply {key}` menampilkan perintahnya lagi.",
    ),
    "nightly.request-applying": Text(
        en="{key} was begun and is not finished",
        id="{key} sudah dimulai tetapi belum selesai",
        next_en="`cloudpemda apply {key}` continues; with --undo it is taken back.",
        next_id="`cloudpemda apply {key}` melanjutkan; dengan --undo dibatalkan.",
    ),
    "nightly.request-changing": Text(
        en="the change to {key} was begun and is not finished",
        id="perubahan {key} sudah dimulai tetapi belum selesai",
        next_en="`cloudpemda apply {key}` continues; with --undo it is taken back.",
        next_id="`cloudpemda apply {key}` melanjutkan; dengan --undo dibatalkan.",
    ),
    "nightly.vm-absent": Text(
        en="{vm} is not on its cluster any more",
        id="{vm} tidak ada lagi di klasternya",
        next_en="Find out who removed it; `cloudpemda plan` says what apply would do.",
        next_id="Cari tahu siapa yang menghapus; `cloudpemda plan` menunjukkan tindakan apply.",
    ),
    "nightly.vm-stopped": Text(
        en="{vm} is not running",
        id="{vm} tidak berjalan",
        next_en="Ask its OPD whether that is meant; `cloudpemda apply` starts it.",
        next_id="Tanyakan kepada OPD apakah disengaja; `cloudpemda apply` menyalakannya.",
    ),
    "nightly.vm-unknown": Text(
        en="{vm} could not be read",
        id="{vm} tidak dapat dibaca",
        next_en="See to its node; nothing is released or made again because of it.",
        next_id="Periksa nodenya; tidak ada yang dilepas atau dibuat ulang karenanya.",
    ),
    "nightly.vm-differs": Text(
        en="{vm} differs from what was approved: {differences}",
        id="{vm} berbeda dari yang disetujui: {differences}",
        next_en="`cloudpemda plan` shows the difference, `cloudpemda apply` puts it right.",
        next_id="`cloudpemda plan` menampilkan bedanya, `cloudpemda apply` membetulkannya.",
    ),
    "nightly.phase-failed": Text(
        en="the night's phase {phase} could not be done; the others were",
        id="tahap malam {phase} tidak dapat dijalankan; tahap lainnya tetap dijalankan",
        next_en="The cause follows. Once it is removed, `cloudpemda nightly` does it again.",
        next_id="Sebabnya disebut berikut ini. Setelah diatasi, `cloudpemda nightly` "
        "mengulanginya.",
    ),
    "nightly.phase-bug": Text(
        en="the night's phase {phase} ended in an error of the program ({kind}); the others were "
        "done",
        id="tahap malam {phase} berakhir karena kesalahan program ({kind}); tahap lainnya tetap "
        "dijalankan",
        next_en="Hand the traceback on stderr to whoever maintains the program.",
        next_id="Serahkan traceback di stderr kepada pengelola program.",
    ),
    "nightly.not-written": Text(
        en="{file} could not be written: {cause}",
        id="{file} tidak dapat ditulis: {cause}",
        next_en="Make room there, and see that its directory belongs to the account of the night.",
        next_id="Sediakan ruang di sana, dan pastikan direktorinya milik akun proses malam.",
    ),
    "nightly.saga-left": Text(
        en="{key}: the {kind} that began at {since} is not finished, and nobody is at work on it",
        id="{key}: pekerjaan {kind} yang dimulai {since} belum selesai, dan tidak ada yang "
        "mengerjakannya",
        next_en="`{command}` goes on with it.",
        next_id="`{command}` melanjutkannya.",
    ),
    "nightly.orphan": Text(
        en="{volume} on {cluster}/{node} is left behind by {vm}, which is gone since {since}; it "
        "stays charged",
        id="{volume} di {cluster}/{node} tertinggal dari {vm} yang sudah tidak ada sejak {since}; "
        "tetap dibebankan",
        next_en="`cloudpemda orphans clean` removes it, or says what is in the way.",
        next_id="`cloudpemda orphans clean` menghapusnya, atau menyebut halangannya.",
    ),
    "nightly.n-plus-one": Text(
        en="if {node} of {cluster} dies, not all of its {vms} HA VMs fit on the other nodes",
        id="bila {node} di {cluster} mati, {vms} VM HA-nya tidak semua muat di node lain",
        next_en="Add memory or a node, or have an OPD give back; `cloudpemda nodes list` shows "
        "what each node has promised.",
        next_id="Tambah memori atau node, atau minta OPD mengembalikan; `cloudpemda nodes list` "
        "menunjukkan yang dijanjikan tiap node.",
    ),
    "nightly.n-plus-one-undecided": Text(
        en="whether the {vms} HA VMs of {node} in {cluster} would fit elsewhere if it died could "
        "not be decided in time: it is too full to tell",
        id="apakah {vms} VM HA di {node} pada {cluster} muat di node lain bila node itu mati tidak "
        "dapat dipastikan: klaster terlalu penuh",
        next_en="Count it as no: add memory or a node, or have an OPD give back.",
        next_id="Anggap tidak muat: tambah memori atau node, atau minta OPD mengembalikan.",
    ),
    "nightly.exposed-apart": Text(
        en="{vm} would find no home if its node died: every other node that it could use has "
        "another member of its keep-apart group",
        id="{vm} tidak punya tempat bila node-nya mati: setiap node lain yang dapat dipakainya "
        "berisi anggota lain dari kelompok keepApart-nya",
        next_en="Bring the nodes of {cluster} back that are away, or add one.",
        next_id="Hidupkan kembali node {cluster} yang tidak aktif, atau tambah node.",
    ),
    "nightly.exposed-local-disk": Text(
        en="{vm} would find no home if its node died: one of its disks is not replicated",
        id="{vm} tidak punya tempat bila node-nya mati: salah satu disk-nya tidak direplikasi",
        next_en="`cloudpemda drift {vm}` says what differs; a class with HA needs every disk "
        "replicated or on shared storage.",
        next_id="`cloudpemda drift {vm}` menyebut bedanya; kelas dengan HA memerlukan semua disk "
        "direplikasi atau di storage bersama.",
    ),
    "nightly.exposed-no-node": Text(
        en="{vm} would find no home if its node died: no other node of {cluster} is online that "
        "could start it",
        id="{vm} tidak punya tempat bila node-nya mati: tidak ada node lain di {cluster} yang "
        "aktif dan dapat menjalankannya",
        next_en="Bring its replication targets back: `cloudpemda nodes list` shows which node is "
        "away.",
        next_id="Hidupkan kembali node tujuan replikasinya: `cloudpemda nodes list` menunjukkan "
        "node yang tidak aktif.",
    ),
    "report.none": Text(
        en="there is no report of the night {night} in {directory}",
        id="tidak ada laporan malam {night} di {directory}",
        next_en="`cloudpemda nightly` writes one; a night is named after the day in whose morning "
        "it ends.",
        next_id="`cloudpemda nightly` membuatnya; malam dinamai menurut hari saat malam itu "
        "berakhir di pagi hari.",
    ),
    "report.none-yet": Text(
        en="no night has left a report in {directory} yet",
        id="belum ada malam yang meninggalkan laporan di {directory}",
        next_en="`cloudpemda nightly` writes one.",
        next_id="`cloudpemda nightly` membuatnya.",
    ),
    "report.date": Text(
        en="{text} is no date",
        id="{text} bukan tanggal",
        next_en="Write it as 2026-11-22.",
        next_id="Tulis seperti 2026-11-22.",
    ),
    "report.unreadable": Text(
        en="{file} cannot be read as a report",
        id="{file} tidak dapat dibaca sebagai laporan",
        next_en="Ask for another date, or look at the file: nothing but the night writes it.",
        next_id="Minta tanggal lain, atau periksa berkasnya: hanya proses malam yang menulisnya.",
    ),
    "show.night-report": Text(en="report: {file}", id="laporan: {file}"),
    "night.title": Text(
        en="The night of {night} at {site}", id="Laporan malam {night}, situs {site}"
    ),
    "night.summary": Text(
        en="{at}: {vms} VMs, {promised} of them protected as promised; {findings} findings.",
        id="{at}: {vms} VM, {promised} di antaranya terlindungi sesuai janji; {findings} temuan.",
    ),
    "night.retired": Text(
        en="stopped, their time was over: {keys}", id="dihentikan karena masanya habis: {keys}"
    ),
    "night.purged": Text(
        en="purged after their quarantine: {keys}", id="dimusnahkan setelah karantina: {keys}"
    ),
    "night.expired": Text(en="expired: {keys}", id="kedaluwarsa: {keys}"),
    "night.cleaned": Text(
        en="{count} volumes that were left behind are cleaned",
        id="{count} volume yang tertinggal telah dibersihkan",
    ),
    "night.since": Text(en="since {at}", id="sejak {at}"),
    "night.site": Text(en="Site", id="Situs"),
    "night.over": Text(en="Over since the night before", id="Selesai sejak malam sebelumnya"),
    "night.vms": Text(en="VMs", id="VM"),
    "night.columns": Text(
        en="VM|class|node|state|HA|replication|backup",
        id="VM|kelas|node|keadaan|HA|replikasi|cadangan",
    ),
    "night.backup-made": Text(
        en="{vm} had no good backup, and has one now: {what}",
        id="{vm} tidak punya cadangan yang baik, dan sekarang ada: {what}",
    ),
    "night.replication-made": Text(
        en="{vm} had no good replica, and has one now (job {what})",
        id="{vm} tidak punya replika yang baik, dan sekarang ada (job {what})",
    ),
    "night.phases": Text(en="Phases of the night", id="Tahap malam"),
    "night.phase-rules": Text(en="rules and expiry", id="aturan dan kedaluwarsa"),
    "night.phase-leases": Text(en="leases", id="masa pakai"),
    "night.phase-due": Text(en="missing copies made", id="salinan yang kurang dibuat"),
    "night.phase-protect": Text(en="protection put right", id="perlindungan dibetulkan"),
    "night.phase-window": Text(en="nightly window", id="jendela malam"),
    "night.phase-drift": Text(en="drift", id="penyimpangan"),
    "night.phase-judge": Text(en="judgement by age", id="penilaian menurut umur"),
    "night.phase-ledger": Text(en="ledger", id="buku besar"),
    "night.phase-orphans": Text(en="volumes left behind", id="volume tertinggal"),
    "night.phase-journals": Text(en="work left behind", id="pekerjaan tertinggal"),
    "night.phase-capacity": Text(en="capacity and N+1", id="kapasitas dan N+1"),
    "night.phase-copy": Text(en="copy of the ledger", id="cadangan buku besar"),
    "night.phase-drc-copy": Text(
        en="copy at the recovery centre", id="cadangan di pusat pemulihan"
    ),
    "night.phase-report": Text(en="report", id="laporan"),
    "night.phase-metrics": Text(en="metrics", id="metrik"),
    "night.phase-notices": Text(en="notices", id="pemberitahuan"),
    "night.notice-title": Text(
        en="{site}: {begun} new findings, {over} over",
        id="{site}: {begun} temuan baru, {over} selesai",
    ),
    "night.notice-over": Text(
        en="over (since {since}): {what}", id="selesai (sejak {since}): {what}"
    ),
    "notify.not-delivered": Text(
        en="channel {channel}: {count} notices were not delivered (try {tries} of {most})",
        id="kanal {channel}: {count} pemberitahuan tidak terkirim (percobaan {tries} dari {most})",
        next_en="The next night tries again. Check the URLs in its file and whether this machine "
        "reaches the server: `apprise -b test URL`.",
        next_id="Malam berikutnya mencoba lagi. Periksa URL dalam berkasnya dan apakah mesin ini "
        "dapat menjangkau servernya: `apprise -b test URL`.",
    ),
    "notify.given-up": Text(
        en="channel {channel}: {count} notices were tried in {tries} nights and are not tried any "
        "more",
        id="kanal {channel}: {count} pemberitahuan sudah dicoba {tries} malam dan tidak dicoba "
        "lagi",
        next_en="What they say stands in `cloudpemda report night`. Mend the channel in site.yaml "
        "(`notify`): new findings are sent all the same.",
        next_id="Isinya ada di `cloudpemda report night`. Betulkan kanalnya di site.yaml "
        "(`notify`): temuan baru tetap dikirim.",
    ),
    "notify.no-apprise": Text(
        en="notices need apprise, which is not installed",
        id="pemberitahuan memerlukan apprise, yang belum terpasang",
        next_en="Install it: pip install 'cloudpemda[notices]'.",
        next_id="Pasang: pip install 'cloudpemda[notices]'.",
    ),
    "notify.url": Text(
        en="this line is no URL that apprise can send to, or the file has none",
        id="baris ini bukan URL yang dikenal apprise, atau berkasnya kosong",
        next_en="One URL per line, for instance mailtos://user:password@mail.example.go.id?to=…, "
        "tgram://TOKEN/CHAT, json://host/path. It is not shown here because it holds secrets.",
        next_id="Satu URL per baris, misalnya mailtos://user:sandi@mail.example.go.id?to=…, "
        "tgram://TOKEN/CHAT, json://host/path. Tidak ditampilkan di sini karena memuat rahasia.",
    ),
}
