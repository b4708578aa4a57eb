"""Why a plan cannot be made, and what a difference between desired and live is called."""

from cloudpemda.messages import Text

TEXTS = {
    "plan.no-site-key": Text(
        en="{vm} has roles, and the key by which they are set up is not there",
        id="{vm} punya peran, tetapi kunci untuk menyiapkannya tidak ada",
        next_en="Make it by `cloudpemda nodes key`, or put back the one that VMs know.",
        next_id="Buatlah dengan `cloudpemda nodes key`, atau kembalikan kunci yang dikenal VM.",
    ),
    "plan.approver-removed": Text(
        en="{who} approved {key} and, by people.yaml, is not entitled to",
        id="{who} menyetujui {key} tetapi menurut people.yaml tidak berwenang",
        next_en="`apply` voids the approval and returns the hold; have {key} approved again.",
        next_id="`apply` membatalkan persetujuannya dan mengembalikan kuotanya; mintakan lagi "
        "persetujuan {key}.",
    ),
    "plan.hold-ended": Text(
        en="the approval of {key} held quota and room until {until}",
        id="persetujuan {key} hanya menahan kuota dan tempat sampai {until}",
        next_en="It has run out: have {key} handed in and approved again.",
        next_id="Masanya habis: mintakan {key} diserahkan dan disetujui lagi.",
    ),
    "plan.class": Text(
        en="the catalogue has no service class {service_class}",
        id="katalog tidak memiliki kelas layanan {service_class}",
        next_en="Use a class of catalogue.yaml, or add it there.",
        next_id="Gunakan kelas yang ada di catalogue.yaml, atau tambahkan di sana.",
    ),
    "plan.firewall-off": Text(
        en="the firewall of cluster {cluster} is off: what is exposed would stand open to all",
        id="firewall klaster {cluster} mati: VM yang membatasi aksesnya akan terbuka untuk semua",
        next_en="Look at what it would do to the hosts, then turn it on (Datacenter > Firewall > "
        "Options), or let `apply` do it, hosts left open: `firewall: {{datacenter: managed}}` in "
        "site.yaml.",
        next_id="Periksa dampaknya bagi host, lalu hidupkan (Datacenter > Firewall > Options), "
        "atau biarkan `apply` melakukannya dengan host tetap terbuka: "
        "`firewall: {{datacenter: managed}}` di site.yaml.",
    ),
    "plan.firewall-lockout": Text(
        en="the firewall of cluster {cluster} is off, and would {policy} packets for the hosts",
        id="firewall klaster {cluster} mati, dan akan {policy} paket untuk host",
        next_en="Turned on by a program it might keep you out. See that the rules for the hosts "
        "let you in, then turn it on yourself (Datacenter > Firewall > Options).",
        next_id="Bila dihidupkan oleh program, Anda bisa terkunci di luar. Pastikan aturan untuk "
        "host mengizinkan Anda, lalu hidupkan sendiri (Datacenter > Firewall > Options).",
    ),
    "plan.firewall-foreign": Text(
        en="the security group {group} of cluster {cluster} is somebody else's: {comment}",
        id="security group {group} di klaster {cluster} milik pihak lain: {comment}",
        next_en="It is not touched. Find out who made it, and rename it.",
        next_id="Tidak disentuh. Cari tahu siapa pembuatnya, lalu ganti namanya.",
    ),
    "plan.firewall-nic": Text(
        en="{vm} was adopted, and its {nic} on {bridge} passes the firewall by",
        id="{vm} diadopsi, dan {nic} pada {bridge} tidak melewati firewall",
        next_en="In PVE tick `Firewall` of that network device (VM {vmid} > Hardware).",
        next_id="Di PVE, centang `Firewall` pada perangkat jaringan itu (VM {vmid} > Hardware).",
    ),
    "plan.firewall-node": Text(
        en="{vm}: pve-firewall does not run on {node} of cluster {cluster}",
        id="{vm}: pve-firewall tidak berjalan pada {node} di klaster {cluster}",
        next_en="No rule counts there. On the node: `systemctl start pve-firewall`.",
        next_id="Aturan tidak berlaku di sana. Pada node itu: `systemctl start pve-firewall`.",
    ),
    "plan.image": Text(
        en="cluster {cluster} keeps no image {image}",
        id="klaster {cluster} tidak menyimpan image {image}",
        next_en="Add where the image lies on this cluster to `images` in catalogue.yaml.",
        next_id="Tambahkan letak image pada klaster ini di `images` dalam catalogue.yaml.",
    ),
    "plan.storage": Text(
        en="cluster {cluster} has no storage for class {storage_class}",
        id="klaster {cluster} tidak memiliki storage untuk kelas {storage_class}",
        next_en="Add the class to `storages` of the cluster in site.yaml.",
        next_id="Tambahkan kelas itu ke `storages` klaster di site.yaml.",
    ),
    "plan.network": Text(
        en="the site has no network {network}",
        id="situs tidak memiliki jaringan {network}",
        next_en="Add it to `networks` in site.yaml.",
        next_id="Tambahkan ke `networks` di site.yaml.",
    ),
    "plan.no-backup-storage": Text(
        en="class {service_class} promises backups, but cluster {cluster} names no backup storage",
        id="kelas {service_class} menjanjikan backup, tetapi klaster {cluster} tidak punya storage"
        " backup",
        next_en="Set `backup` of the cluster in site.yaml to a PVE storage id.",
        next_id="Isi `backup` klaster di site.yaml dengan ID storage PVE.",
    ),
    "plan.unknown": Text(
        en="{vm} (VMID {vmid}) on cluster {cluster} could not be read: {what}",
        id="{vm} (VMID {vmid}) di klaster {cluster} tidak dapat dibaca: {what}",
        next_en="Nothing was changed: unknown is not absent. Look at the node, then plan again.",
        next_id="Tidak ada yang diubah: tidak diketahui bukan berarti tidak ada. Periksa node-nya,"
        " lalu jalankan plan lagi.",
    ),
    "plan.identity": Text(
        en="VMID {vmid} on cluster {cluster} is not {vm}: its description names uid {found}",
        id="VMID {vmid} di klaster {cluster} bukan {vm}: keterangannya menyebut uid {found}",
        next_en="Nothing is touched. Find out whose VM it is before you go on. If ours is gone for "
        "good: `cloudpemda apply --undo` takes back a request that is still being made, "
        "`cloudpemda request retire` and then `request purge … --gone` end one that lives.",
        next_id="Tidak ada yang disentuh. Pastikan milik siapa VM itu sebelum melanjutkan. Jika VM "
        "kita memang hilang: `cloudpemda apply --undo` menarik kembali permintaan yang masih "
        "dibuat, `cloudpemda request retire` lalu `request purge … --gone` mengakhiri yang sudah "
        "hidup.",
    ),
    "plan.vanished": Text(
        en="{vm} was made as VMID {vmid} on cluster {cluster}, and is not there any more",
        id="{vm} pernah dibuat sebagai VMID {vmid} di klaster {cluster}, dan kini tidak ada",
        next_en="It is not made anew by itself: that would be an empty VM under its name. Check "
        "with `cloudpemda doctor` that the token still sees everything, find out who removed it, "
        "and restore it from its newest backup under the same VMID. A change that was begun "
        "meanwhile is taken back with `cloudpemda apply --undo`.",
        next_id="VM itu tidak dibuat ulang sendiri: hasilnya VM kosong dengan nama yang sama. "
        "Periksa dengan `cloudpemda doctor` apakah token masih melihat semuanya, cari tahu siapa "
        "yang menghapus, lalu pulihkan dari cadangan terbaru dengan VMID yang sama. Perubahan yang "
        "terlanjur dimulai dibatalkan dengan `cloudpemda apply --undo`.",
    ),
    "plan.vmid-taken": Text(
        en="VMID {vmid} on cluster {cluster}, chosen for {vm}, was taken by somebody else",
        id="VMID {vmid} di klaster {cluster}, yang dipilih untuk {vm}, sudah dipakai pihak lain",
        next_en="Apply again: another VMID of the range is chosen.",
        next_id="Jalankan apply lagi: VMID lain dari rentang itu akan dipilih.",
    ),
    "plan.shrink": Text(
        en="disk {disk} of {vm} is {live} and cannot shrink to {desired}",
        id="disk {disk} milik {vm} berukuran {live} dan tidak dapat diperkecil menjadi {desired}",
        next_en="Ask for its present size or more.",
        next_id="Minta ukuran yang sama dengan sekarang atau lebih besar.",
    ),
    "plan.opd": Text(
        en="the site has no OPD {opd}, but the ledger has VMs or requests of it",
        id="situs tidak memiliki OPD {opd}, padahal buku besar punya VM atau permintaannya",
        next_en="Bring opd/{opd}.yaml back; its networks, too. Retire its VMs before it goes.",
        next_id="Kembalikan opd/{opd}.yaml beserta jaringannya. Akhiri dulu VM-nya sebelum OPD "
        "dihapus.",
    ),
    "plan.cluster": Text(
        en="the site has no cluster {cluster}, but the ledger has VMs or approvals there",
        id="situs tidak memiliki klaster {cluster}, padahal buku besar punya VM atau persetujuan "
        "di sana",
        next_en="Bring the cluster back in site.yaml. Retire its VMs before it goes.",
        next_id="Kembalikan klaster itu di site.yaml. Akhiri dulu VM-nya sebelum klaster dihapus.",
    ),
    "plan.disk-missing": Text(
        en="disk {disk} ({slot}) of {vm} is not there any more",
        id="disk {disk} ({slot}) milik {vm} tidak ada lagi",
        next_en="It is not made anew by itself: that would be an empty disk in the place of one "
        "with data. If it was detached it stands in the VM as unused: attach it to {slot} again; "
        "else restore it from a backup.",
        next_id="Disk tidak dibuat ulang sendiri: hasilnya disk kosong menggantikan yang berisi "
        "data. Bila terlepas, disk itu tercatat sebagai unused pada VM: pasang lagi di {slot}; "
        "bila hilang, pulihkan dari backup.",
    ),
    "plan.disk-foreign": Text(
        en="{slot} of {vm} is {volume}, which does not belong to VMID {vmid}",
        id="{slot} milik {vm} memakai {volume}, yang bukan milik VMID {vmid}",
        next_en="Nothing is touched. Two VMs may be writing to it: find out whose disk it is, and "
        "detach it without deleting it.",
        next_id="Tidak ada yang disentuh. Mungkin dua VM menulis ke disk itu: pastikan miliknya "
        "siapa, lalu lepas tanpa menghapus.",
    ),
    "plan.disk-extra": Text(
        en="{vm} has a disk that nobody approved: {slot}, {volume}, {size}",
        id="{vm} memiliki disk yang tidak pernah disetujui: {slot}, {volume}, {size}",
        next_en="It may hold data, and is not removed by itself. Ask the OPD, then remove it by "
        "hand.",
        next_id="Disk mungkin berisi data dan tidak dihapus sendiri. Tanyakan OPD-nya, lalu hapus "
        "secara manual.",
    ),
    "plan.roots-key": Text(
        en="{vm} was given {key} ({value}), which only root@pam may set or remove",
        id="{vm} diberi {key} ({value}), yang hanya boleh dipasang atau dihapus root@pam",
        next_en="Find out who set it and why, and remove it as root@pam.",
        next_id="Cari tahu siapa yang memasang dan alasannya, lalu hapus sebagai root@pam.",
    ),
}
