"""Texts of disks that changes take from VMs that live, or move to another storage."""

from cloudpemda.messages import Text

TEXTS = {
    "plan.disk-in-snapshot": Text(
        en="disk {disk} of {vm} cannot move to {storage}: a state to go back to is kept of the VM",
        id="disk {disk} milik {vm} tidak dapat pindah ke {storage}: masih ada keadaan VM yang "
        "disimpan",
        next_en="`cloudpemda vm snapshot list {vm}` names them; `vm snapshot delete` removes one. "
        "Then apply again.",
        next_id="`cloudpemda vm snapshot list {vm}` menampilkannya; `vm snapshot delete` "
        "menghapusnya. Lalu jalankan apply lagi.",
    ),
    "plan.disk-rests": Text(
        en="disk {disk} of {vm} rests in quarantine ({size} on {storage}) and is asked for "
        "otherwise",
        id="disk {disk} milik {vm} masih dikarantina ({size} di {storage}), tetapi diminta dengan "
        "ukuran atau kelas lain",
        next_en="Ask for it in its former class and at least its size, and it is put back with its "
        "data; or ask for a disk of another name.",
        next_id="Minta dengan kelas semula dan paling sedikit ukuran itu agar disk dipasang "
        "kembali beserta datanya; atau minta disk dengan nama lain.",
    ),
    "disks.unread": Text(
        en="{vm} cannot be read: its former disk {disk} ({volume}) stays, and stays charged",
        id="{vm} tidak dapat dibaca: disk lamanya {disk} ({volume}) tetap ada dan tetap dibebankan",
        next_en="The night tries again once {cluster} answers.",
        next_id="Proses malam mencobanya lagi setelah {cluster} menjawab.",
    ),
    "disks.node-unread": Text(
        en="{node} does not answer and may have a copy of {volume}, the former disk {disk} of "
        "{vm}: nothing of it was destroyed, and it stays charged",
        id="{node} tidak menjawab dan mungkin menyimpan salinan {volume}, disk lama {disk} milik "
        "{vm}: tidak ada yang dihancurkan, dan tetap dibebankan",
        next_en="The night tries again once {cluster}/{node} answers.",
        next_id="Proses malam mencobanya lagi setelah {cluster}/{node} menjawab.",
    ),
    "disks.foreign": Text(
        en="another VM stands under VMID {vmid} in place of {vm}: {volume} was not touched",
        id="VM lain berada pada VMID {vmid} menggantikan {vm}: {volume} tidak disentuh",
        next_en="`cloudpemda drift` tells what became of {vm}.",
        next_id="`cloudpemda drift` menunjukkan apa yang terjadi dengan {vm}.",
    ),
    "disks.attached": Text(
        en="{volume}, the former disk {disk} of {vm}, was attached again by hand: it was not "
        "touched",
        id="{volume}, disk lama {disk} milik {vm}, dipasang lagi secara manual: tidak disentuh",
        next_en="Hand in a document that has it, or detach it in PVE.",
        next_id="Serahkan dokumen yang memuatnya, atau lepaskan di PVE.",
    ),
    "disks.stays": Text(
        en="{volume}, the former disk {disk} of {vm}, is still on {cluster}/{node}",
        id="{volume}, disk lama {disk} milik {vm}, masih ada di {cluster}/{node}",
        next_en="A state that is kept of the VM may need it (`cloudpemda vm snapshot list {vm}`); "
        "otherwise look at the task log of the node. The night tries again.",
        next_id="Mungkin masih dipakai keadaan VM yang disimpan (`cloudpemda vm snapshot list "
        "{vm}`); bila tidak, periksa log tugas node itu. Proses malam mencobanya lagi.",
    ),
    "show.plan-disk-leaves": Text(
        en="{vm}: disk {disk} is detached and rests, charged, until its quarantine is over",
        id="{vm}: disk {disk} dilepas dan disimpan, tetap dibebankan, sampai karantinanya usai",
    ),
    "show.vm-disk-removed": Text(
        en="{disk} of {vm}: {volume}, {size}, removed; destroyed after {until}",
        id="{disk} milik {vm}: {volume}, {size}, dilepas; dihancurkan setelah {until}",
    ),
    "show.vm-disk-leaving": Text(
        en="{disk} of {vm}: {volume}, {size}, goes once {vm} was restarted",
        id="{disk} milik {vm}: {volume}, {size}, dilepas setelah {vm} dinyalakan ulang",
    ),
    "show.vm-disk-moved": Text(
        en="{disk} of {vm}: {volume}, {size}, left behind by a move; the night cleans it",
        id="{disk} milik {vm}: {volume}, {size}, sisa pemindahan; dibersihkan proses malam",
    ),
    "show.status-resting": Text(
        en="removed disks that rest, charged, and can be put back: {count} (`cloudpemda vm disks`)",
        id="disk terlepas yang masih disimpan, dibebankan, dan dapat dipasang kembali: {count} "
        "(`cloudpemda vm disks`)",
    ),
    "show.vm-no-disks": Text(
        en="no disk rests in quarantine", id="tidak ada disk yang dikarantina"
    ),
}
