"""Texts of the door to Proxmox VE."""

from cloudpemda.messages import Text

TEXTS = {
    "pve.endpoint": Text(
        en="{url} is no endpoint of a cluster",
        id="{url} bukan endpoint klaster",
        next_en="Write it like https://pve1.example.go.id:8006, without a path.",
        next_id="Tulis seperti https://pve1.example.go.id:8006, tanpa jalur di belakangnya.",
    ),
    "pve.ca": Text(
        en="there is no CA file {file}",
        id="tidak ada berkas CA {file}",
        next_en="Copy /etc/pve/pve-root-ca.pem from a node there.",
        next_id="Salin /etc/pve/pve-root-ca.pem dari salah satu node ke sana.",
    ),
    "pve.unreachable": Text(
        en="no endpoint of cluster {cluster} could be reached ({text})",
        id="tidak satu pun endpoint klaster {cluster} dapat dijangkau ({text})",
        next_en="Nothing was sent. Check network and firewall, then run `cloudpemda doctor`.",
        next_id="Tidak ada yang dikirim. Periksa jaringan dan firewall, lalu jalankan "
        "`cloudpemda doctor`.",
    ),
    "pve.tls": Text(
        en="a server of cluster {cluster} does not prove itself with the trusted certificate "
        "({text})",
        id="server klaster {cluster} tidak membuktikan diri dengan sertifikat tepercaya ({text})",
        next_en="Nothing was sent. If the certificate was renewed, check it on the node and "
        "change `tls` in site.yaml; if it was not, somebody may be listening in.",
        next_id="Tidak ada yang dikirim. Jika sertifikat baru diperbarui, periksa di node lalu "
        "ubah `tls` di site.yaml; jika tidak, mungkin ada pihak yang menyadap.",
    ),
    "pve.answer-lost": Text(
        en="{method} {path} was sent to cluster {cluster}, and its answer was lost ({text})",
        id="{method} {path} sudah dikirim ke klaster {cluster}, tetapi jawabannya hilang ({text})",
        next_en="It may have happened. Run the same command again: it looks first.",
        next_id="Mungkin sudah terjadi. Jalankan lagi perintah yang sama: keadaannya akan "
        "diperiksa dahulu.",
    ),
    "pve.answer": Text(
        en="cluster {cluster} answered something unexpected at {where}: {text}",
        id="klaster {cluster} menjawab hal yang tak terduga pada {where}: {text}",
        next_en="Check that the endpoint is Proxmox VE 8.4 or 9, then run `cloudpemda doctor`.",
        next_id="Pastikan endpoint itu Proxmox VE 8.4 atau 9, lalu jalankan `cloudpemda doctor`.",
    ),
    "pve.name": Text(
        en="{text!r} cannot be the {name} of an API path",
        id="{text!r} tidak dapat dipakai sebagai {name} dalam jalur API",
        next_en="Correct the name where it was given.",
        next_id="Perbaiki nama itu di tempat asalnya.",
    ),
    "pve.locked": Text(
        en="cluster {cluster}: locked by another task ({text})",
        id="klaster {cluster}: terkunci oleh tugas lain ({text})",
        next_en="Wait until that task (backup, clone, migration) has ended, then try again.",
        next_id="Tunggu tugas itu (cadangan, klon, migrasi) selesai, lalu coba lagi.",
    ),
    "pve.busy": Text(
        en="cluster {cluster} is too busy to do it now ({text})",
        id="klaster {cluster} terlalu sibuk untuk melakukannya sekarang ({text})",
        next_en="Try again in a few minutes.",
        next_id="Coba lagi beberapa menit kemudian.",
    ),
    "pve.quorum": Text(
        en="cluster {cluster} has no quorum and takes no changes ({text})",
        id="klaster {cluster} kehilangan kuorum dan menolak perubahan ({text})",
        next_en="See `pvecm status` on its nodes; most of them must see each other.",
        next_id="Lihat `pvecm status` pada node-nya; sebagian besar node harus saling terhubung.",
    ),
    "pve.node-offline": Text(
        en="cluster {cluster}: the node behind {path} cannot be reached ({text})",
        id="klaster {cluster}: node di balik {path} tidak dapat dijangkau ({text})",
        next_en="Its VMs are unknown, not gone. Bring the node back or wait for HA.",
        next_id="VM-nya berstatus tidak diketahui, bukan hilang. Pulihkan node itu atau tunggu HA.",
    ),
    "pve.not-found": Text(
        en="cluster {cluster} does not know it ({text})",
        id="klaster {cluster} tidak mengenalnya ({text})",
        next_en="It may have been moved or removed: look with `cloudpemda status`.",
        next_id="Mungkin sudah dipindah atau dihapus: periksa dengan `cloudpemda status`.",
    ),
    "pve.exists": Text(
        en="cluster {cluster} has it already ({text})",
        id="sudah ada di klaster {cluster} ({text})",
        next_en="Look at what is there with `cloudpemda plan` before anything else.",
        next_id="Periksa dahulu yang sudah ada dengan `cloudpemda plan`.",
    ),
    "pve.changed": Text(
        en="cluster {cluster}: somebody changed it meanwhile ({text})",
        id="klaster {cluster}: ada yang mengubahnya sementara itu ({text})",
        next_en="Plan again: the new state is read first.",
        next_id="Susun rencana lagi: keadaan terbaru akan dibaca dahulu.",
    ),
    "pve.permission": Text(
        en="cluster {cluster}: the token lacks {privilege} on {object} ({text})",
        id="klaster {cluster}: token tidak memiliki hak {privilege} pada {object} ({text})",
        next_en="`cloudpemda doctor` prints the commands that grant what is missing.",
        next_id="`cloudpemda doctor` menampilkan perintah untuk memberi hak yang kurang.",
    ),
    "pve.permission-unnamed": Text(
        en="cluster {cluster}: the token may not {method} {path} ({text})",
        id="klaster {cluster}: token tidak berhak atas {method} {path} ({text})",
        next_en="`cloudpemda doctor` prints the commands that grant what is missing.",
        next_id="`cloudpemda doctor` menampilkan perintah untuk memberi hak yang kurang.",
    ),
    "pve.auth": Text(
        en="cluster {cluster} does not accept the token ({text})",
        id="klaster {cluster} tidak menerima token ({text})",
        next_en="Check token id and secret file in site.yaml, and that the token has not expired.",
        next_id="Periksa id token dan berkas rahasianya di site.yaml, serta masa berlaku token.",
    ),
    "pve.protected": Text(
        en="cluster {cluster}: the VM is protected against removal ({text})",
        id="klaster {cluster}: VM dilindungi dari penghapusan ({text})",
        next_en="Whoever set the protection must clear it in Proxmox VE.",
        next_id="Yang memasang perlindungan itu harus melepasnya di Proxmox VE.",
    ),
    "pve.storage-full": Text(
        en="cluster {cluster}: a storage has no space left ({text})",
        id="klaster {cluster}: ruang penyimpanan habis ({text})",
        next_en="Free space on it or ask for another storage class.",
        next_id="Kosongkan ruangnya atau ajukan kelas penyimpanan lain.",
    ),
    "pve.parameter": Text(
        en="cluster {cluster} refused a parameter of {method} {path}: {text}",
        id="klaster {cluster} menolak parameter {method} {path}: {text}",
        next_en="Check the setting that it names; if it is not yours, report it with this text.",
        next_id="Periksa pengaturan yang disebut; jika bukan milik Anda, laporkan beserta teks "
        "ini.",
    ),
    "pve.unsupported": Text(
        en="this version of cluster {cluster} does not have {method} {path} ({text})",
        id="versi klaster {cluster} ini tidak memiliki {method} {path} ({text})",
        next_en="cloudpemda needs Proxmox VE 8.4 or 9; finish an upgrade that was begun.",
        next_id="cloudpemda memerlukan Proxmox VE 8.4 atau 9; tuntaskan pemutakhiran yang sudah "
        "dimulai.",
    ),
    "pve.other": Text(
        en="cluster {cluster} refused {method} {path} with {status}: {text}",
        id="klaster {cluster} menolak {method} {path} dengan {status}: {text}",
        next_en="The text is Proxmox VE's own; see the task log and the journal of the node.",
        next_id="Teks itu berasal dari Proxmox VE; lihat log tugas dan jurnal node.",
    ),
    "pve.task-failed": Text(
        en="a task of cluster {cluster} failed: {text} ({upid})",
        id="tugas di klaster {cluster} gagal: {text} ({upid})",
        next_en="See its log in Proxmox VE, or with `pvesh get /nodes/NODE/tasks/UPID/log`.",
        next_id="Lihat log-nya di Proxmox VE, atau dengan `pvesh get /nodes/NODE/tasks/UPID/log`.",
    ),
    "pve.task-unknown": Text(
        en="nobody can say how a task of cluster {cluster} ended: {text} ({upid})",
        id="tidak dapat diketahui bagaimana tugas di klaster {cluster} berakhir: {text} ({upid})",
        next_en="Run the same command again: it looks at what is there first.",
        next_id="Jalankan lagi perintah yang sama: keadaannya akan diperiksa dahulu.",
    ),
    "pve.task-timeout": Text(
        en="a task of cluster {cluster} was not seen to end in time ({upid})",
        id="tugas di klaster {cluster} belum terlihat selesai sampai batas waktunya ({upid})",
        next_en="It may still succeed. Run the same command again later: it looks first.",
        next_id="Tugas itu masih mungkin berhasil. Jalankan lagi perintah yang sama nanti: "
        "keadaannya akan diperiksa dahulu.",
    ),
}
