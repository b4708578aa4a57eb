"""Texts of what a site's files say of its recovery centre."""

from cloudpemda.messages import Text

TEXTS = {
    "site.endpoint": Text(
        en="{value} is no endpoint of a backup server",
        id="{value} bukan titik akses server backup",
        next_en='Write an address like "https://pbs1.example.go.id:8007", or lab.',
        next_id='Tulis alamat seperti "https://pbs1.example.go.id:8007", atau lab.',
    ),
    "site.datastore": Text(
        en="{value} is no name of a datastore",
        id="{value} bukan nama datastore",
        next_en="Write it as the backup server shows it: 3 to 32 letters, digits, . _ -",
        next_id="Tulis seperti di server backup: 3 sampai 32 huruf, angka, . _ -",
    ),
    "site.namespace": Text(
        en="{value} is no namespace of a datastore",
        id="{value} bukan namespace datastore",
        next_en="Write it as the backup server shows it, e.g. opd/dinkes; leave it out for the "
        "root.",
        next_id="Tulis seperti di server backup, misalnya opd/dinkes; kosongkan untuk akarnya.",
    ),
    "site.node": Text(
        en="{value} is no name of a node",
        id="{value} bukan nama node",
        next_en="Write it as `pvecm nodes` shows it.",
        next_id="Tulis seperti pada `pvecm nodes`.",
    ),
    "site.drc-method": Text(
        en="{value} is no way to the recovery centre",
        id="{value} bukan cara menuju pusat pemulihan (DRC)",
        next_en="Valid are: backup-sync (a backup server there pulls the backups) and stretched "
        "(replication to nodes of the same cluster that stand there). PVE replicates to no other "
        "cluster.",
        next_id="Yang berlaku: backup-sync (server backup di sana menarik cadangan) dan stretched "
        "(replikasi ke node klaster yang sama di sana). PVE tidak mereplikasi ke klaster lain.",
    ),
    "site.drc-no-sync": Text(
        en="the class {name} promises copies by backup-sync, and the backup server of no "
        "production cluster has `syncedTo`",
        id="kelas {name} menjanjikan salinan dengan backup-sync, tetapi server backup klaster "
        "produksi tidak memiliki `syncedTo`",
        next_en="Describe the servers in backupServers of site.yaml, under the name of the "
        "cluster's backup storage (or name them as its backupServer), with syncedTo: the server at "
        "the recovery centre. The other way is drc: {{method: stretched}}.",
        next_id="Jelaskan server-servernya pada backupServers di site.yaml, dengan nama "
        "penyimpanan cadangan klaster (atau sebutkan sebagai backupServer-nya), dengan syncedTo: "
        "server di DRC. Cara lain: drc: {{method: stretched}}.",
    ),
    "site.drc-no-backup": Text(
        en="the class {name} promises copies by backup-sync, and makes no backups",
        id="kelas {name} menjanjikan salinan dengan backup-sync, tetapi tidak membuat cadangan",
        next_en="Give the class backup: {{every: 24h, …}}, or take drc away.",
        next_id="Beri kelas itu backup: {{every: 24h, …}}, atau hapus drc.",
    ),
    "site.drc-no-replication": Text(
        en="the class {name} promises a stretched cluster's replicas, and is not replicated",
        id="kelas {name} menjanjikan replika klaster stretched, tetapi tidak direplikasi",
        next_en="Give the class replication: {{targets: 1, every: 15m}}, or use drc: {{method: "
        "backup-sync}}.",
        next_id="Beri kelas itu replication: {{targets: 1, every: 15m}}, atau pakai drc: {{method: "
        "backup-sync}}.",
    ),
    "site.drc-no-nodes": Text(
        en="the class {name} promises a stretched cluster's replicas, and no production cluster "
        "has nodes at the recovery centre",
        id="kelas {name} menjanjikan replika klaster stretched, tetapi tidak ada klaster produksi "
        "yang memiliki node di DRC",
        next_en="Write drcNodes: [names] at the cluster in site.yaml. PVE replicates within one "
        "cluster alone: for a cluster of its own at the other site use drc: {{method: "
        "backup-sync}}.",
        next_id="Tulis drcNodes: [nama] pada klaster di site.yaml. PVE hanya mereplikasi di dalam "
        "satu klaster: untuk klaster tersendiri di DRC pakai drc: {{method: backup-sync}}.",
    ),
    "site.unknown-backup-server": Text(
        en="there is no backup server {name}",
        id="tidak ada server backup {name}",
        next_en="Known are: {known}.",
        next_id="Yang ada: {known}.",
    ),
    "site.synced-to-itself": Text(
        en="the backup server {name} is synced to itself",
        id="server backup {name} disinkronkan ke dirinya sendiri",
        next_en="Name the server at the recovery centre, or leave syncedTo out.",
        next_id="Sebutkan server di DRC, atau hapus syncedTo.",
    ),
    "site.backup-server-idle": Text(
        en="cluster {cluster} names the backup server {name} and no storage for its backups",
        id="klaster {cluster} menyebut server backup {name}, tetapi tidak menyebut penyimpanan "
        "cadangan",
        next_en="Write backup: <storage id> beside backupServer.",
        next_id="Tulis backup: <ID penyimpanan> di samping backupServer.",
    ),
}
