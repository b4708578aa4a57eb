"""Texts of applying: what the cluster answered that a person must know about."""

from cloudpemda.messages import Text

TEXTS: dict[str, Text] = {
    "apply.halted": Text(
        en="stopped between two steps; everything begun is in the journal",
        id="berhenti di antara dua langkah; semua yang sudah dimulai tercatat di jurnal",
        next_en="Run the same command again: it continues from there.",
        next_id="Jalankan lagi perintah yang sama: pekerjaan dilanjutkan dari sana.",
    ),
    "apply.vmids-taken": Text(
        en="{key}: every VMID that was tried was taken by somebody else, {vmid} last",
        id="{key}: semua VMID yang dicoba sudah dipakai pihak lain, terakhir {vmid}",
        next_en="Find out who creates VMs in this OPD's VMID range, then apply again.",
        next_id="Cari siapa yang membuat VM di rentang VMID OPD ini, lalu jalankan apply lagi.",
    ),
    "apply.half-made": Text(
        en="{key}: VM {vmid} on {node} is half made: its creation stopped and left it locked",
        id="{key}: VM {vmid} di {node} setengah jadi: pembuatannya terhenti dan VM masih terkunci",
        next_en="Remove it with the commands shown, then apply again.",
        next_id="Hapus VM itu dengan perintah yang ditampilkan, lalu jalankan apply lagi.",
    ),
    "apply.not-destroyed": Text(
        en="{key}: VM {vmid} is still there although its removal ended without an error",
        id="{key}: VM {vmid} masih ada walaupun penghapusannya selesai tanpa kesalahan",
        next_en="Remove it with the commands shown, then apply again.",
        next_id="Hapus VM itu dengan perintah yang ditampilkan, lalu jalankan apply lagi.",
    ),
    "apply.gone": Text(
        en="{key}: VM {vmid} was removed by somebody else while it was being set up",
        id="{key}: VM {vmid} dihapus pihak lain ketika sedang disiapkan",
        next_en="Find out who removed it, then apply again: it is made anew.",
        next_id="Cari siapa yang menghapusnya, lalu jalankan apply lagi: VM dibuat ulang.",
    ),
    "apply.foreign": Text(
        en="{key}: the VM {vmid} on {node} is not ours: it does not carry our uid",
        id="{key}: VM {vmid} di {node} bukan milik kita: tidak memuat uid kita",
        next_en="It was left untouched. Find out whose it is before anything else.",
        next_id="VM itu tidak disentuh. Cari pemiliknya sebelum melakukan hal lain.",
    ),
    "apply.backup-list": Text(
        en="backup job {job} of cluster {cluster} is being changed by somebody else all the time",
        id="tugas cadangan {job} di klaster {cluster} terus-menerus diubah pihak lain",
        next_en="Close other editors of backup jobs, then apply again.",
        next_id="Tutup penyunting lain untuk tugas cadangan, lalu jalankan apply lagi.",
    ),
    "apply.ha-keeps-running": Text(
        en="{key}: HA did not bring VM {vmid} to rest in time",
        id="{key}: HA tidak menghentikan VM {vmid} pada waktunya",
        next_en="Look at `ha-manager status`, run the commands shown, then apply again.",
        next_id="Periksa `ha-manager status`, jalankan perintah yang ditampilkan, lalu apply lagi.",
    ),
    "apply.ha-stays": Text(
        en="{key}: HA still lists VM {vmid} although it was removed",
        id="{key}: HA masih mendaftar VM {vmid} walaupun sudah dikeluarkan",
        next_en="Look at `ha-manager status`, run the commands shown, then apply again.",
        next_id="Periksa `ha-manager status`, jalankan perintah yang ditampilkan, lalu apply lagi.",
    ),
    "apply.replication-stays": Text(
        en="{key}: the replication jobs of VM {vmid} did not go away in time",
        id="{key}: tugas replikasi VM {vmid} tidak hilang pada waktunya",
        next_en="See whether source and target are online; else run the commands shown.",
        next_id="Pastikan node asal dan tujuan hidup; jika tidak, pakai perintah yang ditampilkan.",
    ),
    "apply.not-as-desired": Text(
        en="{key}: read back after the apply, this is not as written: {what}",
        id="{key}: dibaca kembali setelah apply, ini tidak sesuai dengan yang ditulis: {what}",
        next_en="See who or what changed it (`ha-manager status`, task log), then apply again.",
        next_id="Cari yang mengubahnya (`ha-manager status`, log tugas), lalu jalankan apply lagi.",
    ),
}
