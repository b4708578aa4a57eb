"""Texts of emptying a node and taking it back."""

from cloudpemda.messages import Text


def _hindered(en: str, id_: str, next_en: str, next_id: str) -> Text:
    return Text(
        en="{vm} ({vmid}) cannot leave {cluster}/{node}: " + en,
        id="{vm} ({vmid}) tidak dapat meninggalkan {cluster}/{node}: " + id_,
        next_en=next_en,
        next_id=next_id,
    )


TEXTS = {
    "nodes.name": Text(
        en="{name} names no node of this site (clusters: {known})",
        id="{name} bukan nama node situs ini (klaster: {known})",
        next_en="Write CLUSTER/NODE, as `cloudpemda nodes list` shows them.",
        next_id="Tulis KLASTER/NODE seperti pada `cloudpemda nodes list`.",
    ),
    "nodes.unknown": Text(
        en="cluster {cluster} has no node {node} (it has {known})",
        id="klaster {cluster} tidak punya node {node} (yang ada: {known})",
        next_en="Write CLUSTER/NODE, as `cloudpemda nodes list` shows them.",
        next_id="Tulis KLASTER/NODE seperti pada `cloudpemda nodes list`.",
    ),
    "nodes.not-online": Text(
        en="node {node} of {cluster} does not answer, or its cluster has no quorum",
        id="node {node} di {cluster} tidak menjawab, atau klasternya tanpa kuorum",
        next_en="Nothing was changed. See to the node first: what cannot be read cannot be moved.",
        next_id="Tidak ada yang diubah. Periksa nodenya dahulu: yang tidak terbaca tidak dapat "
        "dipindahkan.",
    ),
    "nodes.cannot-empty": Text(
        en="{cluster}/{node} cannot be emptied; nothing was changed",
        id="{cluster}/{node} tidak dapat dikosongkan; tidak ada yang diubah",
        next_en="See to each cause below, then run it again; `--preview` shows all that can go.",
        next_id="Atasi tiap sebab berikut, lalu ulangi; `--preview` menampilkan yang bisa pindah.",
    ),
    "nodes.locked": _hindered(
        "PVE is at work on it",
        "PVE sedang mengerjakannya",
        "Wait for its backup or snapshot to end, then run it again.",
        "Tunggu cadangan atau snapshot selesai, lalu ulangi.",
    ),
    "nodes.unread": _hindered(
        "its configuration could not be read",
        "konfigurasinya tidak terbaca",
        "`cloudpemda doctor` says what is missing.",
        "`cloudpemda doctor` menunjukkan sebabnya.",
    ),
    "nodes.not-allowed": _hindered(
        "no node that is online has its replica or is allowed by HA",
        "tidak ada node aktif yang memiliki replikanya atau diizinkan HA",
        "Bring that node back, or switch the VM off with its OPD's consent.",
        "Aktifkan kembali node itu, atau matikan VM dengan izin OPD.",
    ),
    "nodes.storage": _hindered(
        "no allowed node has its storages, or room on them",
        "node yang diizinkan tidak punya penyimpanannya, atau ruangnya tidak cukup",
        "Make room on the storage of the same name on another node.",
        "Sediakan ruang pada penyimpanan bernama sama di node lain.",
    ),
    "nodes.room": _hindered(
        "the nodes that may take it have no memory or CPU left for it",
        "node tujuan tidak punya sisa memori atau CPU",
        "Free memory on another node, or drain when fewer VMs live here.",
        "Kosongkan memori di node lain, atau lakukan saat VM di sini lebih sedikit.",
    ),
    "nodes.apart": _hindered(
        "each node that may take it has another member of its keep-apart group",
        "setiap node tujuan sudah memuat anggota lain dari kelompok keepApart",
        "With as many nodes as members one must go: agree with its OPD to switch it off.",
        "Bila jumlah node sama dengan anggota, satu harus berhenti: sepakati dengan OPD.",
    ),
    "nodes.copies": Text(
        en="copies of VMs, which stay where they were made, are on {cluster}/{node}: {copies}",
        id="di {cluster}/{node} ada salinan VM, yang tidak dapat dipindahkan: {copies}",
        next_en="`cloudpemda vm copy delete` those no longer needed, or leave them: "
        "`--leave-foreign`.",
        next_id="Hapus yang tidak diperlukan lagi (`cloudpemda vm copy delete`), atau biarkan: "
        "`--leave-foreign`.",
    ),
    "nodes.foreign": Text(
        en="guests that cloudpemda does not look after are on {cluster}/{node}: {vmids}",
        id="di {cluster}/{node} ada VM yang tidak dikelola cloudpemda: {vmids}",
        next_en="Have their owners move them, or leave them there: `--leave-foreign`.",
        next_id="Minta pemiliknya memindahkan, atau biarkan: `--leave-foreign`.",
    ),
    "nodes.quorum": Text(
        en="without {cluster}/{node} {online} nodes are online and quorum needs {needed}, unless "
        "a QDevice votes",
        id="tanpa {cluster}/{node} ada {online} node aktif sedangkan kuorum perlu {needed}, "
        "kecuali ada QDevice",
        next_en="Moving is safe; do not switch the node off before another vote is there.",
        next_id="Pemindahan aman; jangan matikan node sebelum ada suara lain.",
    ),
    "nodes.move-failed": Text(
        en="{vm} is still on {cluster}/{node}",
        id="{vm} masih di {cluster}/{node}",
        next_en="See to the cause below; `cloudpemda nodes drain {cluster}/{node}` goes on with "
        "what is left.",
        next_id="Atasi sebab berikut; `cloudpemda nodes drain {cluster}/{node}` melanjutkan "
        "sisanya.",
    ),
    "nodes.not-moved": Text(
        en="the migration of {vm} ended, and VM {vmid} is still on {node}",
        id="migrasi {vm} berakhir, tetapi VM {vmid} masih di {node}",
        next_en="Read the task's log in PVE, then run the drain again.",
        next_id="Baca log tugasnya di PVE, lalu ulangi.",
    ),
    "nodes.ha-stays": Text(
        en="the HA manager was asked to move {vm}, and VM {vmid} stays on {node}",
        id="manajer HA diminta memindahkan {vm}, tetapi VM {vmid} tetap di {node}",
        next_en="`ha-manager status` on a node says why: a rule, an error, no master.",
        next_id="`ha-manager status` di node menunjukkan sebabnya: aturan, galat, tanpa master.",
    ),
    "nodes.halted": Text(
        en="stopped before {vm} was moved off {node}",
        id="dihentikan sebelum {vm} dipindahkan dari {node}",
        next_en="`cloudpemda nodes drain` goes on with what is left.",
        next_id="`cloudpemda nodes drain` melanjutkan sisanya.",
    ),
    "show.node-drained": Text(
        en="node {node} is kept empty since {since} by {person}: {why}; `cloudpemda nodes return "
        "{node}` takes it back",
        id="node {node} dikosongkan sejak {since} oleh {person}: {why}; `cloudpemda nodes return "
        "{node}` memakainya kembali",
    ),
    "show.node-out": Text(en="kept empty", id="dikosongkan"),
    "show.loss-borne": Text(en="loss can be borne", id="kehilangan tertanggung"),
    "show.loss-not-borne": Text(en="LOSS CANNOT BE BORNE", id="KEHILANGAN TAK TERTANGGUNG"),
    "show.move-ha": Text(en="by HA", id="oleh HA"),
    "show.move-alive": Text(en="alive", id="hidup"),
    "show.move-stopped": Text(en="stopped", id="mati"),
    "show.templates-stay": Text(
        en="templates stay: {vmids}",
        id="templat tetap di tempat: {vmids}",
    ),
    "show.drain-n-plus-one": Text(
        en="meanwhile the loss of one more node can be borne",
        id="sementara itu kehilangan satu node lagi masih tertanggung",
    ),
    "show.drain-no-n-plus-one": Text(
        en="MEANWHILE the loss of {nodes} could not be borne",
        id="SEMENTARA ITU kehilangan {nodes} tidak tertanggung",
    ),
    "show.drain-preview": Text(
        en="nothing was changed; without --preview {node} is emptied so",
        id="tidak ada yang diubah; tanpa --preview {node} dikosongkan seperti ini",
    ),
    "show.drain-left": Text(
        en="{node} is not empty: {vmids} are there",
        id="{node} belum kosong: masih ada {vmids}",
    ),
    "show.drain-empty": Text(
        en="{node} is empty, and gets nothing new until `cloudpemda nodes return {node}`. Before "
        "you switch it off, on a node: ha-manager crm-command node-maintenance enable {name}",
        id="{node} kosong dan tidak menerima VM baru sampai `cloudpemda nodes return {node}`. "
        "Sebelum dimatikan, jalankan di node: ha-manager crm-command node-maintenance enable "
        "{name}",
    ),
    "show.node-returned": Text(
        en="{node} is in use again; it was kept empty since {since}",
        id="{node} dipakai kembali; dikosongkan sejak {since}",
    ),
    "show.node-was-in-use": Text(
        en="{node} was in use; nothing was changed",
        id="{node} memang dipakai; tidak ada yang diubah",
    ),
    "column.to": Text(en="to", id="ke"),
    "column.how": Text(en="how", id="cara"),
    "column.if-lost": Text(en="if it is lost", id="bila hilang"),
}
