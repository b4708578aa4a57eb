"""What differs from what was approved, and what belongs to nobody."""

from cloudpemda.messages import Text

TEXTS = {
    "drift.no-key": Text(
        en="the ledger has no VM or workload {key}",
        id="buku besar tidak punya VM atau beban kerja {key}",
        next_en="`cloudpemda vm list` names them: dinkes/simrs/db-1; dinkes/simrs is all of it.",
        next_id="`cloudpemda vm list` menyebut semuanya: dinkes/simrs/db-1, atau dinkes/simrs "
        "untuk seluruhnya.",
    ),
    "drift.node": Text(
        en="{vm} is on {node}, where its own HA rule does not let it be ({nodes})",
        id="{vm} berada di {node}, padahal aturan HA-nya hanya membolehkan {nodes}",
        next_en="Migrate it back to one of them, or let `apply` have HA and replication follow it.",
        next_id="Pindahkan kembali ke salah satunya, atau biarkan `apply` menyesuaikan HA dan "
        "replikasinya.",
    ),
    "drift.pool-stranger": Text(
        en="VMID {vmid} ({name}) on {cluster}/{node} is in pool {pool} of {opd} and in no ledger",
        id="VMID {vmid} ({name}) di {cluster}/{node} ada di pool {pool} milik {opd} tetapi tidak "
        "tercatat",
        next_en="Adopt it for the OPD, or take it out of the pool: whoever may see the pool sees "
        "it.",
        next_id="Catatkan untuk OPD itu, atau keluarkan dari pool: siapa pun yang boleh melihat "
        "pool dapat melihatnya.",
    ),
    "drift.vmid-stranger": Text(
        en="VMID {vmid} ({name}) on {cluster}/{node} is in the range of {opd} and in no ledger",
        id="VMID {vmid} ({name}) di {cluster}/{node} ada dalam rentang {opd} tetapi tidak tercatat",
        next_en="Find out whose it is. Adopt it for the OPD, or have it moved to another VMID.",
        next_id="Cari tahu pemiliknya. Catatkan untuk OPD itu, atau pindahkan ke VMID lain.",
    ),
    "drift.backup-job": Text(
        en="backup job {job} on {cluster} backs up what is ours ({what}), and nobody asked for it",
        id="tugas cadangan {job} di {cluster} mencadangkan milik kita ({what}) tanpa permintaan",
        next_en="Its backups take room that nobody is charged for. Find out who made it and why.",
        next_id="Cadangannya memakai ruang tanpa beban kuota. Cari tahu pembuat dan alasannya.",
    ),
    "drift.backup-stranger": Text(
        en="backup job {job} on {cluster} is a class's, and names VMIDs that are not ours: {vmids}",
        id="tugas cadangan {job} di {cluster} milik sebuah kelas, tetapi memuat VMID lain: {vmids}",
        next_en="Take them out of the job; give them one of their own if they are needed.",
        next_id="Keluarkan dari tugas itu; buatkan tugas tersendiri bila diperlukan.",
    ),
    "drift.backup-leftover": Text(
        en="backup job {job} on {cluster} has a name of ours, and the catalogue has no such class",
        id="tugas cadangan {job} di {cluster} bernama milik kita, tetapi kelas itu tidak ada di "
        "katalog",
        next_en="Remove it once no VM depends on it, or bring the class back in catalogue.yaml.",
        next_id="Hapus bila tidak ada VM yang bergantung padanya, atau kembalikan kelasnya di "
        "catalogue.yaml.",
    ),
    "drift.ha-rule": Text(
        en="HA rule {rule} ({kind}) on {cluster} holds {what}, and no workload asks for it",
        id="aturan HA {rule} ({kind}) di {cluster} memuat {what} tanpa beban kerja yang memintanya",
        next_en="It may keep a VM from a node that it needs. Find out who made it, and remove it.",
        next_id="Aturan itu dapat menghalangi VM dari node yang dibutuhkan. Cari tahu pembuatnya, "
        "lalu hapus.",
    ),
    "drift.ha-leftover": Text(
        en="HA on {cluster} looks after {what}, and there is no such guest",
        id="HA di {cluster} menjaga {what}, padahal tidak ada tamu seperti itu",
        next_en="Remove it from HA: a guest that is given this VMID would be started by HA.",
        next_id="Hapus dari HA: tamu baru dengan VMID itu akan dinyalakan oleh HA.",
    ),
    "drift.replication-leftover": Text(
        en="replication job {what} to {target} on {cluster} has no guest",
        id="tugas replikasi {what} ke {target} di {cluster} tidak punya tamu",
        next_en="Remove it, and look for its volumes on {target}: a VMID that is used again meets "
        "them.",
        next_id="Hapus tugas itu dan periksa volumenya di {target}: VMID yang dipakai lagi akan "
        "menemuinya.",
    ),
    "show.drift-none": Text(
        en="{compared} VMs are as they were approved",
        id="{compared} VM sesuai dengan yang disetujui",
    ),
    "show.drift-some": Text(
        en="{differing} of {compared} VMs differ from what was approved",
        id="{differing} dari {compared} VM berbeda dari yang disetujui",
    ),
    "show.drift-harmless": Text(en="harmless", id="tidak berbahaya"),
    "show.drift-over-quota": Text(en="over quota", id="melebihi kuota"),
    "show.drift-unprotected": Text(en="unprotected", id="tidak terlindungi"),
    "show.drift-security": Text(en="security", id="keamanan"),
    "show.drift-by-apply": Text(en="apply", id="apply"),
    "show.drift-by-person": Text(en="a person", id="orang"),
    "show.drift-nothing": Text(en="nothing", id="tidak ada"),
    "show.drift-blocked": Text(
        en="`apply` refuses this workload until a person has put right what is theirs.",
        id="`apply` menolak beban kerja ini sampai bagian yang perlu orang dibereskan.",
    ),
    "show.drift-overage": Text(
        en="beyond what was approved: {what}",
        id="di luar yang disetujui: {what}",
    ),
    "show.drift-apply": Text(
        en="To put right what `apply` can: cloudpemda apply {keys}",
        id="Untuk memulihkan yang dapat dipulihkan: cloudpemda apply {keys}",
    ),
    "show.drift-underway": Text(
        en="not compared, since a change is under way: {keys}",
        id="tidak dibandingkan karena sedang dikerjakan: {keys}",
    ),
    "show.drift-unknown": Text(
        en="UNKNOWN, since they could not be read: {keys}",
        id="TIDAK DIKETAHUI karena tidak dapat dibaca: {keys}",
    ),
    "show.drift-unowned": Text(
        en="Guests that stand in no ledger:",
        id="Tamu yang tidak tercatat:",
    ),
    "show.overgrown": Text(
        en="{more} of {opd}'s {dimension} was grown by hand and never approved: `cloudpemda drift`",
        id="{more} dari {dimension} milik {opd} diperbesar dengan tangan tanpa persetujuan: "
        "`cloudpemda drift`",
    ),
    "column.pool": Text(en="pool", id="pool"),
}
