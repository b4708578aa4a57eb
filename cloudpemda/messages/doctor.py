"""Texts of doctor's findings."""

from cloudpemda.messages import Text

TEXTS = {
    "doctor.stages": Text(
        en="every stage of approval has people who may decide in it",
        id="setiap tahap persetujuan memiliki orang yang boleh memutus",
    ),
    "doctor.stage-unfilled": Text(
        en="requests by {rule} cannot pass stage {stage} ({approval}, {of} needed): too few "
        "people may decide there for {opds}",
        id="permohonan menurut {rule} tidak dapat melewati tahap {stage} ({approval}, perlu {of}): "
        "terlalu sedikit orang yang boleh memutus untuk {opds}",
        next_en="Give somebody the role, or have it delegated by letter, in people.yaml; or "
        "change the stages under approvals: in site.yaml.",
        next_id="Beri seseorang peran itu, atau limpahkan dengan surat, di people.yaml; atau ubah "
        "tahapnya pada approvals: di site.yaml.",
    ),
    "doctor.quota-unfilled": Text(
        en="requests for quota by {rule} cannot pass stage {stage} ({approval}, {of} needed): too "
        "few people may decide there for {opds}",
        id="permohonan kuota menurut {rule} tidak dapat melewati tahap {stage} ({approval}, perlu "
        "{of}): terlalu sedikit orang yang boleh memutus untuk {opds}",
        next_en="Give somebody the role, or have it delegated by letter, in people.yaml; or "
        "change the stages under approvals.quota in site.yaml.",
        next_id="Beri seseorang peran itu, atau limpahkan dengan surat, di people.yaml; atau ubah "
        "tahapnya pada approvals.quota di site.yaml.",
    ),
    "doctor.endpoint": Text(
        en="endpoint {endpoint} answers (PVE {version})",
        id="endpoint {endpoint} menjawab (PVE {version})",
    ),
    "doctor.endpoint-down": Text(
        en="endpoint {endpoint} is of no use: {reason} ({text})",
        id="endpoint {endpoint} tidak dapat dipakai: {reason} ({text})",
        next_en="Bring the node back, or take the endpoint out of site.yaml.",
        next_id="Pulihkan node itu, atau keluarkan endpoint tersebut dari site.yaml.",
    ),
    "doctor.version": Text(
        en="PVE {version} is supported",
        id="PVE {version} didukung",
    ),
    "doctor.version-unsupported": Text(
        en="PVE {version} is not supported",
        id="PVE {version} tidak didukung",
        next_en="cloudpemda is made for Proxmox VE 8.4 and 9: upgrade the cluster.",
        next_id="cloudpemda dibuat untuk Proxmox VE 8.4 dan 9: mutakhirkan klasternya.",
    ),
    "doctor.rights": Text(
        en="token {token} has all rights it needs",
        id="token {token} memiliki semua hak yang diperlukan",
    ),
    "doctor.rights-missing": Text(
        en="token {token} lacks {privileges} on {path}",
        id="token {token} tidak memiliki {privileges} pada {path}",
        next_en="Run the commands below as root on a node of cluster {cluster}.",
        next_id="Jalankan perintah di bawah sebagai root pada salah satu node klaster {cluster}.",
    ),
    "doctor.quorum": Text(
        en="cluster {cluster} is quorate",
        id="klaster {cluster} memiliki kuorum",
    ),
    "doctor.no-quorum": Text(
        en="cluster {cluster} has no quorum: it takes no changes",
        id="klaster {cluster} kehilangan kuorum: perubahan ditolak",
        next_en="See `pvecm status` on its nodes.",
        next_id="Lihat `pvecm status` pada node-nya.",
    ),
    "doctor.ha-flavour": Text(
        en="HA is told where to run by {flavour}",
        id="HA diatur dengan {flavour}",
    ),
    "doctor.node-away": Text(
        en="node {node} is {status}",
        id="node {node} berstatus {status}",
        next_en="Nothing is placed there; what it holds is unknown until it is back.",
        next_id="VM baru tidak ditempatkan di sana; isinya tidak diketahui sampai node itu "
        "kembali.",
    ),
    "doctor.clock": Text(
        en="the clock of {node} agrees ({seconds} s)",
        id="jam {node} sesuai ({seconds} dtk)",
    ),
    "doctor.clock-skew": Text(
        en="the clock of {node} is {seconds} s off",
        id="jam {node} menyimpang {seconds} dtk",
        next_en="Check chrony on the node (`chronyc tracking`), and the clock of this machine.",
        next_id="Periksa chrony di node itu (`chronyc tracking`), dan jam mesin ini.",
    ),
    "doctor.clock-order": Text(
        en="this machine's clock is behind no deed in the ledger",
        id="jam mesin ini tidak tertinggal dari tindakan mana pun di buku besar",
    ),
    "doctor.clock-back": Text(
        en="this machine's clock ({now}) is behind the newest deed in the ledger ({newest}): "
        "nothing can be written",
        id="jam mesin ini ({now}) tertinggal dari tindakan terbaru di buku besar ({newest}): "
        "tidak ada yang dapat ditulis",
        next_en="Put it right (`timedatectl`, `chronyc makestep`). Is it right, and was ahead "
        "before: `cloudpemda audit accept-clock --reason …`.",
        next_id="Betulkan (`timedatectl`, `chronyc makestep`). Bila sudah benar dan sebelumnya "
        "terlalu cepat: `cloudpemda audit accept-clock --reason …`.",
    ),
    "doctor.clock-unread": Text(
        en="the clock of {node} cannot be read ({text})",
        id="jam {node} tidak dapat dibaca ({text})",
        next_en="Check it by hand: `timedatectl` on the node.",
        next_id="Periksa sendiri: `timedatectl` pada node itu.",
    ),
    "doctor.storage": Text(
        en="storage {storage} (class {storage_class}) is there on every node",
        id="penyimpanan {storage} (kelas {storage_class}) ada di setiap node",
    ),
    "doctor.storage-missing": Text(
        en="storage {storage} does not exist on {nodes}",
        id="penyimpanan {storage} tidak ada pada {nodes}",
        next_en="Create it there under the same id, or correct the id in site.yaml.",
        next_id="Buat di sana dengan id yang sama, atau perbaiki id-nya di site.yaml.",
    ),
    "doctor.storage-inactive": Text(
        en="storage {storage} is not active on {nodes}",
        id="penyimpanan {storage} tidak aktif pada {nodes}",
        next_en="See `pvesm status` on the node.",
        next_id="Lihat `pvesm status` pada node itu.",
    ),
    "doctor.storage-no-images": Text(
        en="storage {storage} takes no VM disks on {nodes}",
        id="penyimpanan {storage} tidak menerima disk VM pada {nodes}",
        next_en="Add `images` to its content, or choose another storage in site.yaml.",
        next_id="Tambahkan `images` pada isinya, atau pilih penyimpanan lain di site.yaml.",
    ),
    "doctor.storage-no-backup": Text(
        en="storage {storage} takes no backups on {nodes}",
        id="penyimpanan {storage} tidak menerima cadangan pada {nodes}",
        next_en="Add `backup` to its content, or choose another storage in site.yaml.",
        next_id="Tambahkan `backup` pada isinya, atau pilih penyimpanan lain di site.yaml.",
    ),
    "doctor.storage-not-replicable": Text(
        en="storage {storage} (class {storage_class}) is no ZFS: its disks cannot be replicated",
        id="penyimpanan {storage} (kelas {storage_class}) bukan ZFS: disknya tidak dapat "
        "direplikasi",
        next_en="Requests of a class with replication will be refused this storage class.",
        next_id="Permohonan dengan kelas layanan bereplikasi tidak akan mendapat kelas ini.",
    ),
    "doctor.backup": Text(
        en="backups go to {storage}",
        id="cadangan disimpan di {storage}",
    ),
    "doctor.backup-none": Text(
        en="cluster {cluster} names no storage for backups",
        id="klaster {cluster} tidak menyebut penyimpanan cadangan",
        next_en="Set `backup` of the cluster in site.yaml.",
        next_id="Isi `backup` klaster itu di site.yaml.",
    ),
    "doctor.backup-not-shared": Text(
        en="backup storage {storage} is not shared: a lost node takes its backups along",
        id="penyimpanan cadangan {storage} tidak bersama: node yang hilang membawa serta "
        "cadangannya",
        next_en="Use a Proxmox Backup Server or a network storage.",
        next_id="Gunakan Proxmox Backup Server atau penyimpanan jaringan.",
    ),
    "doctor.image": Text(
        en="image {image} is there",
        id="citra {image} tersedia",
    ),
    "doctor.image-missing": Text(
        en="image {image}: no shared storage offers {volume}",
        id="citra {image}: tidak ada penyimpanan bersama yang menyediakan {volume}",
        next_en="Download it to that storage (content `import`), or correct catalogue.yaml.",
        next_id="Unduh ke penyimpanan itu (isi `import`), atau perbaiki catalogue.yaml.",
    ),
    "doctor.template-missing": Text(
        en="image {image}: VM {vmid} is no template on {node}",
        id="citra {image}: VM {vmid} bukan templat pada {node}",
        next_en="Make the template on that node, or correct catalogue.yaml.",
        next_id="Buat templatnya pada node itu, atau perbaiki catalogue.yaml.",
    ),
    "doctor.bridges": Text(
        en="{node} has the bridges {bridges}",
        id="{node} memiliki bridge {bridges}",
    ),
    "doctor.bridge-missing": Text(
        en="{node} has no bridge or running VNet {bridge}",
        id="{node} tidak memiliki bridge atau VNet aktif {bridge}",
        next_en="PVE would start no VM there. Create the bridge (apply the SDN for a VNet), or "
        "correct site.yaml.",
        next_id="VM tidak dapat dinyalakan di sana. Buat bridge itu (untuk VNet, terapkan SDN), "
        "atau perbaiki site.yaml.",
    ),
    "doctor.bridges-unread": Text(
        en="the bridges of {node} cannot be read ({text})",
        id="bridge pada {node} tidak dapat dibaca ({text})",
        next_en="Check by hand: `ip link show type bridge` on the node.",
        next_id="Periksa sendiri: `ip link show type bridge` pada node itu.",
    ),
    "doctor.firewall": Text(
        en="the firewall is on, and its service runs on every node",
        id="firewall aktif, dan layanannya berjalan pada setiap node",
    ),
    "doctor.firewall-off": Text(
        en="the firewall is off: requests with `expose` are refused until somebody turns it on",
        id="firewall mati: permohonan dengan `expose` ditolak sampai firewall dihidupkan",
    ),
    "doctor.firewall-managed": Text(
        en="the firewall is off: the first apply of a request with `expose` turns it on",
        id="firewall mati: apply pertama untuk permohonan dengan `expose` menghidupkannya",
    ),
    "doctor.firewall-idle": Text(
        en="pve-firewall does not run on {node}: no rule counts there",
        id="pve-firewall tidak berjalan pada {node}: aturan tidak berlaku di sana",
        next_en="On the node: `systemctl start pve-firewall`, and see why it was stopped.",
        next_id="Pada node itu: `systemctl start pve-firewall`, dan cari tahu mengapa berhenti.",
    ),
}
