"""Texts of workloads that change their OPD."""

from cloudpemda.messages import Text

TEXTS = {
    "transfer.same-opd": Text(
        en="{key} is {opd}'s already",
        id="{key} sudah milik {opd}",
        next_en="`cloudpemda request show {key}` tells how it stands; `cloudpemda apply {key}` "
        "puts right what a cluster does not say yet.",
        next_id="`cloudpemda request show {key}` menunjukkan keadaannya; `cloudpemda apply {key}` "
        "membetulkan yang belum sesuai di klaster.",
    ),
    "transfer.not-active": Text(
        en="{key} is {state}: only what lives can be given to another OPD",
        id="{key} berstatus {state}: hanya yang berjalan yang dapat dialihkan ke OPD lain",
        next_en="What is not made yet is withdrawn and asked for by the other OPD; what is in "
        "quarantine is brought back first (`cloudpemda request restore {key}`).",
        next_id="Yang belum dibuat ditarik lalu diajukan oleh OPD lain; yang dikarantina "
        "dikembalikan dahulu (`cloudpemda request restore {key}`).",
    ),
    "transfer.not-yours": Text(
        en="{login} may not decide that a workload goes to another OPD; that is for: {who}",
        id="{login} tidak berwenang memutuskan pengalihan ke OPD lain; yang berwenang: {who}",
        next_en="Let one of them run the same command; it is not for the person who is named as "
        "responsible there.",
        next_id="Mintalah salah satu dari mereka menjalankan perintah yang sama; bukan orang yang "
        "disebut sebagai penanggung jawab di sana.",
    ),
    "transfer.refused": Text(
        en="{key} cannot go to {opd} as it is",
        id="{key} belum dapat dialihkan ke {opd}",
        next_en="A network: let {opd} use it (`allow.networks` in opd/{opd}.yaml), then all "
        "addresses stay; or move the VMs first to one that both may use, by a changed document, "
        "which gives them new addresses. A class: allow it there, or change it first.",
        next_id="Jaringan: izinkan {opd} memakainya (`allow.networks` di opd/{opd}.yaml), semua "
        "alamat tetap; atau pindahkan dahulu VM ke jaringan yang boleh dipakai keduanya lewat "
        "dokumen perubahan, alamatnya menjadi baru. Kelas: izinkan di sana, atau ubah dahulu.",
    ),
    "transfer.changing": Text(
        en="a change of {key} is {state}: it was asked for by the OPD that has it now",
        id="perubahan {key} berstatus {state}: diajukan oleh OPD yang memilikinya sekarang",
        next_en="Decide on it and apply it (`cloudpemda apply {key}`), or take it back "
        "(`cloudpemda request withdraw {key}`, `cloudpemda apply --undo {key}`).",
        next_id="Putuskan dan terapkan (`cloudpemda apply {key}`), atau tarik (`cloudpemda request "
        "withdraw {key}`, `cloudpemda apply --undo {key}`).",
    ),
    "transfer.working": Text(
        en="{key} is being worked at, or something of it was not brought to its end: {kinds}",
        id="{key} sedang dikerjakan, atau ada pekerjaan yang belum selesai: {kinds}",
        next_en="`cloudpemda apply {key}` goes on with it (`adopt` by its own command).",
        next_id="`cloudpemda apply {key}` melanjutkannya (`adopt` dengan perintahnya sendiri).",
    ),
    "transfer.copies": Text(
        en="copies of VMs of {key} stand beside them: {copies}",
        id="ada salinan VM {key} di sampingnya: {copies}",
        next_en="They are for a while and are not handed over: `cloudpemda vm copy list` shows "
        "them, `cloudpemda vm copy delete` ends one.",
        next_id="Salinan hanya sementara dan tidak ikut dialihkan: `cloudpemda vm copy list` "
        "menampilkannya, `cloudpemda vm copy delete` mengakhirinya.",
    ),
    "transfer.instances": Text(
        en="not all VMs of {key} live: {instances}",
        id="tidak semua VM {key} berjalan: {instances}",
        next_en="What is on its way out is purged or restored first; what is stuck is put right "
        "(`cloudpemda status`).",
        next_id="Yang sedang diakhiri dihapus atau dikembalikan dahulu; yang macet dibetulkan "
        "(`cloudpemda status`).",
    ),
    "transfer.unfinished": Text(
        en="{key} is {opd}'s since its transfer, but the clusters do not all say so yet",
        id="{key} sudah milik {opd} sejak dialihkan, tetapi belum semuanya tercatat di klaster",
        next_en="`cloudpemda plan {key}` shows what is left, `cloudpemda apply {key}` does it.",
        next_id="`cloudpemda plan {key}` menunjukkan sisanya, `cloudpemda apply {key}` "
        "menyelesaikannya.",
    ),
    "show.transfer-charge": Text(
        en="{opd} is charged from then on, and {former} no more: {amounts}",
        id="Sejak itu dibebankan ke {opd}, tidak lagi ke {former}: {amounts}",
    ),
    "show.transfer-ask": Text(
        en="Give {former} away, as {key}?",
        id="Alihkan {former} menjadi {key}?",
    ),
    "show.transfer-preview": Text(
        en="{former} would become {key}; VMs, numbers and addresses stay. Nothing was changed: "
        "--yes does it.",
        id="{former} akan menjadi {key}; VM, nomor, dan alamat tetap. Belum ada yang diubah: --yes "
        "melaksanakannya.",
    ),
    "show.transfer-refused": Text(
        en="{former} cannot become {key} as it stands. Nothing was changed.",
        id="{former} belum dapat menjadi {key}. Tidak ada yang diubah.",
    ),
    "show.transfer-done": Text(
        en="{key} stands in the ledger and on its cluster; its VMs ran on.",
        id="{key} sudah tercatat di buku besar dan di klasternya; VM tetap berjalan.",
    ),
    "show.transfer-open": Text(
        en="{key} stands in the ledger; on its cluster something is left.",
        id="{key} sudah tercatat di buku besar; di klasternya masih ada sisa.",
    ),
}
