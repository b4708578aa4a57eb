"""Texts of doctor's findings at backup servers."""

from cloudpemda.messages import Text

TEXTS = {
    "doctor.site-loss-open": Text(
        en="the classes {names} promise an RPO for the loss of the site, and nothing says what "
        "would be left of cluster {cluster}: its backups count, wherever they lie",
        id="kelas {names} menjanjikan RPO untuk kehilangan situs, tetapi tidak disebut apa yang "
        "tersisa dari klaster {cluster}: cadangannya dihitung, di mana pun letaknya",
        next_en="Describe the backup servers in backupServers of site.yaml, with syncedTo: the "
        "one at the recovery centre.",
        next_id="Jelaskan server backup pada backupServers di site.yaml, dengan syncedTo: server "
        "di DRC.",
    ),
    "doctor.drc-nodes": Text(
        en="drcNodes names {nodes}, which the cluster {cluster} has not",
        id="drcNodes menyebut {nodes}, yang tidak ada di klaster {cluster}",
        next_en="Name nodes of this cluster in site.yaml: PVE replicates to no other cluster.",
        next_id="Sebutkan node klaster ini di site.yaml: PVE tidak mereplikasi ke klaster lain.",
    ),
    "doctor.server": Text(
        en="backup server {endpoint} answers (PBS {version})",
        id="server backup {endpoint} menjawab (PBS {version})",
    ),
    "doctor.server-down": Text(
        en="backup server {endpoint} is of no use: {reason} ({text})",
        id="server backup {endpoint} tidak dapat dipakai: {reason} ({text})",
        next_en="Bring it back, or correct endpoint, tls and token under backupServers of "
        "site.yaml. Until then what lies there is unknown.",
        next_id="Pulihkan, atau perbaiki endpoint, tls, dan token pada backupServers di site.yaml. "
        "Sampai saat itu isinya tidak diketahui.",
    ),
    "doctor.datastore": Text(
        en="datastore {datastore}, namespace {namespace}: backups of {vms} VMs, {free} free",
        id="datastore {datastore}, namespace {namespace}: cadangan {vms} VM, sisa {free}",
    ),
    "doctor.datastore-full": Text(
        en="datastore {datastore} is {percent}% full ({free} free)",
        id="datastore {datastore} terisi {percent}% (sisa {free})",
        next_en="Prune and collect garbage, or add space, before backups or syncs fail.",
        next_id="Jalankan prune dan garbage collection, atau tambah ruang, sebelum cadangan atau "
        "sinkronisasi gagal.",
    ),
    "doctor.datastore-unread": Text(
        en="datastore {datastore} cannot be read: {reason} ({text})",
        id="datastore {datastore} tidak dapat dibaca: {reason} ({text})",
        next_en="Correct datastore or namespace in site.yaml, or give the token DatastoreAudit on "
        "it.",
        next_id="Perbaiki datastore atau namespace di site.yaml, atau beri token itu "
        "DatastoreAudit atasnya.",
    ),
    "doctor.jobs-unread": Text(
        en="the jobs of datastore {datastore} cannot be read: {reason} ({text})",
        id="job datastore {datastore} tidak dapat dibaca: {reason} ({text})",
        next_en="Give the token DatastoreAudit on the datastore.",
        next_id="Beri token itu DatastoreAudit atas datastore tersebut.",
    ),
    "doctor.verify": Text(
        en="job {job} verifies datastore {datastore} ({schedule})",
        id="job {job} memverifikasi datastore {datastore} ({schedule})",
    ),
    "doctor.no-verify": Text(
        en="no job with a schedule verifies datastore {datastore}",
        id="tidak ada job terjadwal yang memverifikasi datastore {datastore}",
        next_en="Make a verify job there: backups that nobody verifies may not be readable.",
        next_id="Buat verify job di sana: cadangan yang tidak diverifikasi mungkin tidak terbaca.",
    ),
    "doctor.verify-failed": Text(
        en="the last run of job {job}, which verifies datastore {datastore}, failed: {text}",
        id="job {job}, yang memverifikasi datastore {datastore}, terakhir gagal: {text}",
        next_en="See its log on the server; backups that failed are not counted as copies.",
        next_id="Lihat lognya di server itu; cadangan yang gagal tidak dihitung sebagai salinan.",
    ),
    "doctor.sync": Text(
        en="job {job} pulls what is new at {source} ({schedule})",
        id="job {job} menarik yang baru dari {source} ({schedule})",
    ),
    "doctor.no-sync": Text(
        en="no job with a schedule pulls from {source} into datastore {datastore}",
        id="tidak ada job terjadwal yang menarik dari {source} ke datastore {datastore}",
        next_en="Make a sync job there, or correct syncedTo and datastore in site.yaml. A token "
        "without RemoteAudit on /remote does not see the job.",
        next_id="Buat sync job di sana, atau perbaiki syncedTo dan datastore di site.yaml. Token "
        "tanpa RemoteAudit atas /remote tidak melihat job itu.",
    ),
    "doctor.sync-failed": Text(
        en="the last run of job {job}, which pulls from {source}, failed: {text}",
        id="job {job}, yang menarik dari {source}, terakhir gagal: {text}",
        next_en="See its log on the server; until it succeeds, nothing new comes to the recovery "
        "centre.",
        next_id="Lihat lognya di server itu; sampai berhasil, tidak ada yang baru di pusat "
        "pemulihan.",
    ),
}
