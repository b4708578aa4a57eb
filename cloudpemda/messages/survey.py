"""What a survey of the clusters finds beside differences from what was approved."""

from cloudpemda.messages import Text

TEXTS = {
    "survey.not-judged": Text(
        en="{key} cannot be compared with what was approved ({vms}): the site lacks what it needs",
        id="{key} tidak dapat dibandingkan dengan yang disetujui ({vms}): situs tidak lagi memuat "
        "yang dibutuhkan",
        next_en="Bring back what the next message names; all other VMs were judged.",
        next_id="Kembalikan yang disebut pesan berikut; semua VM lain tetap dinilai.",
    ),
    "survey.no-quorum": Text(
        en="cluster {cluster} has no quorum: nothing can be changed there, HA does nothing",
        id="klaster {cluster} tidak kuorum: tidak ada yang dapat diubah, HA tidak bekerja",
        next_en="Bring its nodes or their network back; never force votes while others may run.",
        next_id="Pulihkan node atau jaringannya; jangan paksa suara selama node lain mungkin "
        "masih berjalan.",
    ),
    "survey.copy": Text(
        en="CRITICAL: VMID {vmid} on {cluster}/{node} is a second copy of {vm} ({own}), role {role}"
        ", uid {uid}",
        id="KRITIS: VMID {vmid} di {cluster}/{node} adalah salinan kedua dari {vm} ({own}), peran "
        "{role}, uid {uid}",
        next_en="Take its network away at once: both have the same addresses. Then find out which "
        "one has the newer data.",
        next_id="Segera putus jaringannya: alamat keduanya sama. Lalu pastikan mana yang datanya "
        "lebih baru.",
    ),
    "survey.nobody": Text(
        en="VMID {vmid} on {cluster}/{node} calls itself ours and stands in no ledger (uid {uid})",
        id="VMID {vmid} di {cluster}/{node} mengaku milik kita tetapi tidak tercatat (uid {uid})",
        next_en="Find out who made it; take the tag `cloudpemda` away if it is somebody else's.",
        next_id="Cari tahu pembuatnya; lepas tag `cloudpemda` bila milik pihak lain.",
    ),
    "survey.pending": Text(
        en="{vm} runs with {key} {runs}; {shall} is configured and not in effect",
        id="{vm} berjalan dengan {key} {runs}; {shall} sudah diatur tetapi belum berlaku",
        next_en="`cloudpemda vm restart {vm}` when its OPD agrees; a reboot inside is not enough.",
        next_id="`cloudpemda vm restart {vm}` saat OPD-nya setuju; reboot di dalam VM tidak cukup.",
    ),
    "survey.locked": Text(
        en="{vm} is locked ({lock}), and no task is at work on it",
        id="{vm} terkunci ({lock}), padahal tidak ada tugas yang sedang mengerjakannya",
        next_en="Nobody can back it up or change it. On node {node}, after looking at what was "
        "interrupted: qm unlock {vmid}",
        next_id="VM tidak dapat dicadangkan atau diubah. Di node {node}, setelah memeriksa apa "
        "yang terputus: qm unlock {vmid}",
    ),
    "survey.server-unread": Text(
        en="backup server {server} could not be read: what lies at the recovery centre is unknown",
        id="server backup {server} tidak dapat dibaca: isi pusat pemulihan (DRC) tidak diketahui",
        next_en="The next message says why; `cloudpemda doctor` looks at the server by itself.",
        next_id="Pesan berikut menyebut sebabnya; `cloudpemda doctor` memeriksa server itu.",
    ),
    "survey.storage-unread": Text(
        en="the backups on {storage} of cluster {cluster} could not be listed: how old they are is "
        "unknown",
        id="cadangan di {storage} pada klaster {cluster} tidak dapat dibaca: umurnya "
        "tidak diketahui",
        next_en="`cloudpemda doctor` tells what is wrong with the storage.",
        next_id="`cloudpemda doctor` menunjukkan masalah penyimpanan itu.",
    ),
    "survey.clock-skew": Text(
        en="the clock of {where} is {seconds} s off: ages of its copies cannot be trusted",
        id="jam {where} menyimpang {seconds} dtk: umur salinannya tidak dapat dipercaya",
        next_en="Set it right (`chronyc tracking` there), and check the clock of this machine.",
        next_id="Betulkan (`chronyc tracking` di sana), dan periksa jam mesin ini.",
    ),
}
