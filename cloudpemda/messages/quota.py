"""Texts of quota: refusals per dimension, and the warning before them."""

from cloudpemda.messages import Text

_NEXT_EN = (
    "Ask for at most {left}, release what {opd} no longer needs, or hand in a QuotaRequest for "
    "{short} more, with its letter."
)
_NEXT_ID = (
    "Minta paling banyak {left}, lepaskan yang tidak lagi dipakai {opd}, atau ajukan QuotaRequest "
    "sebesar {short} beserta suratnya."
)


def _refusal(what_en: str, what_id: str) -> Text:
    return Text(
        en=f"{what_en} of {{opd}}: {{needed}} needed, {{left}} left of {{limit}}",
        id=f"{what_id} {{opd}}: perlu {{needed}}, tersisa {{left}} dari {{limit}}",
        next_en=_NEXT_EN,
        next_id=_NEXT_ID,
    )


def _difference(what_en: str, what_id: str, next_en: str, next_id: str) -> Text:
    return Text(
        en=f"{what_en}: {{dimension}} {{charged}} charged, {{found}} found",
        id=f"{what_id}: {{dimension}} dibebankan {{charged}}, ditemukan {{found}}",
        next_en=next_en,
        next_id=next_id,
    )


TEXTS: dict[str, Text] = {
    "quota.instances": _refusal("number of VMs", "jumlah VM"),
    "quota.vcpu": _refusal("vCPU quota", "kuota vCPU"),
    "quota.memory": _refusal("memory quota", "kuota memori"),
    "quota.disk": _refusal(
        "disk quota ({storage_class}, replicas included)",
        "kuota disk ({storage_class}, termasuk replika)",
    ),
    "quota.backup": _refusal("backup quota", "kuota cadangan (backup)"),
    "quota.public-ip": _refusal("public addresses", "alamat IP publik"),
    "quota.exceeded": Text(
        en="quota does not allow {subject}",
        id="kuota tidak mengizinkan {subject}",
        next_en="`cloudpemda quota show {opd}` shows what is used and held.",
        next_id="`cloudpemda quota show {opd}` menampilkan yang terpakai dan yang ditahan.",
    ),
    "quota.near": Text(
        en="{dimension} of {opd} will be at {percent} % of its limit: {used} of {limit}",
        id="{dimension} milik {opd} akan mencapai {percent} % dari batas: {used} dari {limit}",
        next_en="Plan for more, or release what is no longer needed.",
        next_id="Rencanakan penambahan, atau lepaskan yang tidak lagi diperlukan.",
    ),
    "quota.moment": Text(
        en="{text} is no day and no moment",
        id="{text} bukan tanggal atau waktu",
        next_en='Write a day, 2026-12-31, or a moment, "2026-12-31 14:00".',
        next_id='Tulis tanggal, 2026-12-31, atau waktu, "2026-12-31 14:00".',
    ),
    "quota.future": Text(
        en="{text} is still to come; it is {now}",
        id="{text} belum terjadi; sekarang {now}",
        next_en="Name a moment of the past; `cloudpemda quota grants` shows what is to come.",
        next_id="Sebut waktu yang sudah lewat; `cloudpemda quota grants` menampilkan yang akan "
        "datang.",
    ),
    "quota-request.nothing": Text(
        en="nothing is asked for",
        id="tidak ada yang diminta",
        next_en="Write what shall be added, e.g. {{vcpu: 8, memory: 16 GiB}}.",
        next_id="Tulis yang hendak ditambah, misalnya {{vcpu: 8, memory: 16 GiB}}.",
    ),
    "quota-request.backwards": Text(
        en="the last day ({until}) lies before the first ({start})",
        id="hari terakhir ({until}) mendahului hari pertama ({start})",
        next_en="Write a last day after the first, or permanent.",
        next_id="Tulis hari terakhir setelah hari pertama, atau permanent.",
    ),
    "quota-request.unlimited": Text(
        en="{dimension} of {opd} is unlimited already",
        id="{dimension} milik {opd} sudah tidak dibatasi",
        next_en="Leave it out.",
        next_id="Hapus dari permohonan.",
    ),
    "quota-request.granted": Text(
        en="{key} ({number}) is granted and in force; it cannot be changed",
        id="{key} ({number}) sudah disetujui dan berlaku; tidak dapat diubah",
        next_en="Hand in a further request under another name, or have this one ended first: "
        "`cloudpemda request withdraw {number} --reason …`.",
        next_id="Ajukan permohonan lain dengan nama lain, atau akhiri dulu yang ini: "
        "`cloudpemda request withdraw {number} --reason …`.",
    ),
    "quota-request.name-taken": Text(
        en="the name of {key} belongs to {number}, which is a request of the other kind",
        id="nama {key} sudah dipakai {number}, permohonan jenis lain",
        next_en="Choose another name.",
        next_id="Pilih nama lain.",
    ),
    "quota.verify-former": Text(
        en="{opd} is charged for {vms} VMs, but the site has no OPD {opd}: they were not counted",
        id="{opd} dibebani {vms} VM, padahal situs tidak memiliki OPD {opd}: VM itu tidak dihitung",
        next_en="Bring opd/{opd}.yaml back, and retire its VMs or transfer them before it goes.",
        next_id="Kembalikan opd/{opd}.yaml, lalu akhiri atau alihkan VM-nya sebelum OPD dihapus.",
    ),
    "quota.verify-unread": Text(
        en="{cluster} could not be read: what is on it is unknown, not nothing",
        id="{cluster} tidak terbaca: isinya tidak diketahui, bukan kosong",
        next_en="Repeat when it answers.",
        next_id="Ulangi bila sudah menjawab.",
    ),
    "quota.verify-unknown": Text(
        en="{vm} on {cluster} could not be read",
        id="{vm} di {cluster} tidak terbaca",
        next_en="Repeat when its node answers.",
        next_id="Ulangi bila nodenya sudah menjawab.",
    ),
    "quota.verify-missing": Text(
        en="{vm} is charged, and is not under VMID {vmid} of {cluster}",
        id="{vm} dibebankan, tetapi tidak ada pada VMID {vmid} di {cluster}",
        next_en="Find out who removed it; `cloudpemda audit log --subject {vm}` tells its life.",
        next_id="Cari tahu siapa yang menghapus; `cloudpemda audit log --subject {vm}` "
        "menampilkan riwayatnya.",
    ),
    "quota.verify-replaced": Text(
        en="{vm} is charged, and another VM stands under its VMID {vmid} of {cluster}",
        id="{vm} dibebankan, tetapi VMID {vmid} di {cluster} ditempati VM lain",
        next_en="Find out who removed it and took its place; leave the other VM alone. "
        "`cloudpemda audit log --subject {vm}` tells its life.",
        next_id="Cari tahu siapa yang menghapus dan menggantinya; jangan sentuh VM lain itu. "
        "`cloudpemda audit log --subject {vm}` menampilkan riwayatnya.",
    ),
    "quota.verify-orphan": Text(
        en="{vm} is charged ({charged}), and the ledger has no such instance any more",
        id="{vm} dibebankan ({charged}), tetapi instance itu sudah tidak ada di buku besar",
        next_en="The ledger was changed past the program: `cloudpemda audit verify` names the "
        "row; restore a copy with `cloudpemda ledger restore`.",
        next_id="Buku besar diubah di luar program: `cloudpemda audit verify` menyebut barisnya; "
        "pulihkan salinan dengan `cloudpemda ledger restore`.",
    ),
    "quota.verify-hold": Text(
        en="{held} is held for {vm}, and nothing of {workload} is approved",
        id="{held} ditahan untuk {vm}, padahal {workload} tidak punya persetujuan",
        next_en="`cloudpemda request show {workload}` tells its decisions; `cloudpemda audit "
        "verify` names what was changed past the program.",
        next_id="`cloudpemda request show {workload}` menampilkan keputusannya; `cloudpemda audit "
        "verify` menyebut yang diubah di luar program.",
    ),
    "quota.verify-uncharged": _difference(
        "{vm} is there and is not charged",
        "{vm} ada tetapi tidak dibebankan",
        "The ledger was changed past the program: `cloudpemda audit verify` names the row.",
        "Buku besar diubah di luar program: `cloudpemda audit verify` menyebut barisnya.",
    ),
    "quota.verify-resized": _difference(
        "{vm} was resized by hand",
        "{vm} diubah ukurannya dengan tangan",
        "`cloudpemda plan` shows the difference; or hand in what it shall be.",
        "`cloudpemda plan` menampilkan bedanya; atau ajukan ukuran yang dikehendaki.",
    ),
    "quota.verify-overgrown": _difference(
        "{vm} was grown by hand, and is charged for it as overage",
        "{vm} diperbesar dengan tangan, dan dibebani sebagai kelebihan",
        "`cloudpemda drift` tells what differs; the charge goes with the growth.",
        "`cloudpemda drift` menyebut bedanya; beban itu hilang bersama kelebihannya.",
    ),
    "quota.verify-extra-disk": _difference(
        "{vm} has a disk that nobody asked for",
        "{vm} punya disk yang tidak diminta",
        "Take it away, or hand in the request with it.",
        "Lepaskan disk itu, atau ajukan permintaan yang memuatnya.",
    ),
    "quota.verify-copies": _difference(
        "the copies of {vm} are not those of its class",
        "salinan {vm} tidak sesuai kelasnya",
        "`cloudpemda apply` puts replication right.",
        "`cloudpemda apply` membetulkan replikasi.",
    ),
    "quota.verify-disk": _difference(
        "the disks of {vm} differ",
        "disk {vm} berbeda",
        "`cloudpemda plan` shows the difference; a disk is never shrunk.",
        "`cloudpemda plan` menampilkan bedanya; disk tidak pernah diperkecil.",
    ),
    "quota.verify-unsettled": Text(
        en="{vm}: {dimension} is charged {charged} and runs with {found} since it was restarted",
        id="{vm}: {dimension} dibebankan {charged} dan berjalan dengan {found} sejak dinyalakan "
        "ulang",
        next_en="Nothing is wrong: `cloudpemda nightly`, or `cloudpemda apply` of its request, "
        "gives the rest back; for what is in quarantine its restore or its purge does.",
        next_id="Tidak ada yang salah: `cloudpemda nightly`, atau `cloudpemda apply` untuk "
        "permintaannya, mengembalikan selisihnya; untuk yang dikarantina, pemulihan atau "
        "penghapusannya.",
    ),
    "quota.verify-class": _difference(
        "the class of {vm} has changed since it was charged",
        "kelas {vm} berubah sejak dibebankan",
        "Put the class back, or leave the difference until the VM is changed.",
        "Kembalikan kelas di catalogue.yaml, atau biarkan sampai VM diubah.",
    ),
    "quota.verify-found": Text(
        en="VM {vmid} ({name}) on {cluster} in pool {pool} is of {opd}: it was made after the copy "
        "that the ledger was restored from",
        id="VM {vmid} ({name}) di {cluster} dalam pool {pool} milik {opd}: dibuat setelah cadangan "
        "yang menjadi asal buku besar ini",
        next_en="It counts for {opd} already. `cloudpemda ledger verify` says what can be done.",
        next_id="Sudah dihitung untuk {opd}. `cloudpemda ledger verify` menunjukkan tindakannya.",
    ),
    "quota.verify-foreign": Text(
        en="VM {vmid} ({name}) on {cluster} is in pool {pool} of {opd}, and nobody asked for it",
        id="VM {vmid} ({name}) di {cluster} ada di pool {pool} milik {opd}, tanpa permintaan",
        next_en="Move it out of the pool, or have {opd} ask for it.",
        next_id="Keluarkan dari pool, atau minta {opd} mengajukannya.",
    ),
}
