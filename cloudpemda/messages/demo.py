"""Texts of the guided tour."""

from cloudpemda.messages import Text

TEXTS = {
    "demo.lab": Text(
        en="The lab is up: simulated Proxmox VE clusters {clusters}, over HTTPS on this machine.",
        id="Lab berjalan: klaster Proxmox VE simulasi {clusters}, lewat HTTPS di mesin ini.",
    ),
    "demo.submit": Text(en="Three OPDs hand in requests.", id="Tiga OPD menyerahkan permintaan."),
    "demo.faulty": Text(
        en="A faulty document ({file}): all faults at once, with line and column.",
        id="Dokumen yang salah ({file}): semua kesalahan sekaligus, dengan baris dan kolom.",
    ),
    "demo.too-big": Text(
        en="A request over quota ({file}): refused, with the numbers.",
        id="Permintaan melebihi kuota ({file}): ditolak, dengan angkanya.",
    ),
    "demo.approve": Text(
        en="The approver decides on the offers; quota and room are held.",
        id="Pemberi persetujuan memutuskan tawaran; kuota dan tempat ditahan.",
    ),
    "demo.plan": Text(
        en="The plan: what will be made where, and why there. It writes nothing.",
        id="Rencana: apa dibuat di mana, dan mengapa di sana. Tidak ada yang ditulis.",
    ),
    "demo.apply": Text(
        en="Apply: the VMs are made through the Proxmox API, protected, and read back.",
        id="Penerapan: VM dibuat lewat API Proxmox, dilindungi, dan dibaca kembali.",
    ),
    "demo.night": Text(
        en="A day and a night pass in the lab; the nightly judges every recovery point by age.",
        id="Sehari semalam berlalu di lab; proses malam menilai umur setiap titik pemulihan.",
    ),
    "demo.status": Text(
        en="Who has what, where, and how it is protected:",
        id="Siapa punya apa, di mana, dan bagaimana dilindungi:",
    ),
    "demo.node-dies": Text(
        en="Node {node} of {cluster} dies. Seconds later, as the lab saw it happen:",
        id="Node {node} di {cluster} mati. Detik demi detik, sebagaimana terjadi di lab:",
    ),
    "demo.vm-lost": Text(
        en="{name} ran on it, and is off", id="{name} berjalan di sana, dan padam"
    ),
    "demo.ha-fence": Text(
        en="HA gives {node} up: its VMs must not run twice, so it waits until that is certain",
        id="HA melepas {node}: VM-nya tidak boleh berjalan ganda, maka ditunggu sampai pasti mati",
    ),
    "demo.ha-fenced": Text(en="{node} is certainly off", id="{node} dipastikan sudah mati"),
    "demo.vm-recovered": Text(
        en="{name} goes to {node}, to its replica of {minutes} min before the end",
        id="{name} pindah ke {node}, ke replikanya dari {minutes} menit sebelum node mati",
    ),
    "demo.vm-started": Text(en="{name} runs on {node}", id="{name} berjalan di {node}"),
    "demo.end": Text(
        en="The site stays in {directory}. Look around: cloudpemda --site {directory} lab start, "
        "then status, audit log, request show …",
        id="Situs ini tetap di {directory}. Silakan lihat: cloudpemda --site {directory} lab "
        "start, lalu status, audit log, request show …",
    ),
    "demo.directory": Text(
        en="{directory} holds something else than a demo",
        id="{directory} berisi sesuatu selain demo",
        next_en="Name another place: cloudpemda demo --directory DIR",
        next_id="Pilih tempat lain: cloudpemda demo --directory DIR",
    ),
    "demo.unfinished": Text(
        en="the demo's apply did not come to its end",
        id="penerapan dalam demo tidak selesai",
        next_en="Start the lab again (cloudpemda --site {directory} lab start), then apply.",
        next_id="Jalankan lab lagi (cloudpemda --site {directory} lab start), lalu apply.",
    ),
}
