"""Texts of what makes protection good again, and of the time that it takes."""

from cloudpemda.messages import Text

TEXTS = {
    "converge.failed": Text(
        en="the protection of {vm} differs and could not be put right (step {step})",
        id="perlindungan {vm} menyimpang dan belum dapat dibetulkan (langkah {step})",
        next_en="What hindered it is said below; `cloudpemda protect converge` tries again, as "
        "does the next night.",
        next_id="Penyebabnya disebut di bawah; `cloudpemda protect converge` mencoba lagi, "
        "demikian juga malam berikutnya.",
    ),
    "converge.left-error": Text(
        en="the HA manager has given up on {vm}: {sid} is in state error",
        id="HA manager menyerah atas {vm}: {sid} berstatus error",
        next_en="Find out why (its disks may not be on its node), then `ha-manager set {sid} "
        "--state disabled` and, once that is done, `--state started`.",
        next_id="Cari penyebabnya (mungkin disknya tidak ada di node itu), lalu `ha-manager set "
        "{sid} --state disabled`, dan sesudahnya `--state started`.",
    ),
    "converge.left-node": Text(
        en="the protection of {vm} differs and waits for node {node}, which is off or being "
        "emptied",
        id="perlindungan {vm} menyimpang dan menunggu node {node} yang mati atau sedang "
        "dikosongkan",
        next_en="It is put right when the node is back: `cloudpemda protect converge`, or by the "
        "night.",
        next_id="Dibetulkan setelah node kembali: `cloudpemda protect converge`, atau oleh proses "
        "malam.",
    ),
    "converge.left-locked": Text(
        en="the protection of {vm} differs, and the VM is locked ({lock})",
        id="perlindungan {vm} menyimpang, dan VM itu terkunci ({lock})",
        next_en="Wait for whatever is at work on it; the next night looks again.",
        next_id="Tunggu sampai pekerjaan atasnya selesai; malam berikutnya memeriksa lagi.",
    ),
    "converge.not-backed-up": Text(
        en="PVE finds {vm} (VMID {vmid} on {cluster}) in no backup job, though its class promises "
        "backups",
        id="menurut PVE {vm} (VMID {vmid} di {cluster}) tidak ada di job backup mana pun, padahal "
        "kelasnya menjanjikan backup",
        next_en="Look at Datacenter > Backup for jobs that are disabled or limited to a node; "
        "then `cloudpemda protect converge`.",
        next_id="Periksa Datacenter > Backup: job yang nonaktif atau dibatasi ke satu node; lalu "
        "`cloudpemda protect converge`.",
    ),
    "window.full": Text(
        en="{duties} {lane} jobs on {node} need {needs} one after another; the window has {window}",
        id="{duties} job {lane} di {node} memerlukan {needs} berturut-turut; jendela malam hanya "
        "{window}",
        next_en="They fit if divided over {nodes} source nodes ({parts}): migrate VMs. Or make "
        "the window {hours} hours long (`window` in site.yaml), or the class's interval longer.",
        next_id="Cukup bila dibagi ke {nodes} node sumber ({parts}): pindahkan VM. Atau "
        "jadikan jendela {hours} jam (`window` di site.yaml), atau perpanjang selang kelasnya.",
    ),
    "window.late": Text(
        en="{duties} {lane} jobs on {node} end {needs} after the window opens; it has {window}",
        id="{duties} job {lane} di {node} selesai {needs} setelah jendela dibuka; jendelanya "
        "{window}",
        next_en="They fit if they begin by {start}: set `at` in `backup` of the class in "
        "catalogue.yaml, then `cloudpemda protect converge`.",
        next_id="Cukup bila mulai paling lambat {start}: atur `at` pada `backup` kelasnya di "
        "catalogue.yaml, lalu `cloudpemda protect converge`.",
    ),
    "window.too-long": Text(
        en="a single {lane} job on {node} takes {longest}; the window has {window}",
        id="satu job {lane} di {node} saja memerlukan {longest}; jendela malam hanya {window}",
        next_en="No spread helps. Find out why it takes so long (network, storage, size), or make "
        "the window longer (`window` in site.yaml).",
        next_id="Pembagian tidak menolong. Cari sebab lamanya (jaringan, storage, ukuran), atau "
        "perpanjang jendela (`window` di site.yaml).",
    ),
    "show.window": Text(
        en="window {opens}-{closes}; durations as last measured",
        id="jendela {opens}-{closes}; lama kerja menurut pengukuran terakhir",
    ),
    "show.window-fits": Text(en="fits", id="cukup"),
    "show.window-over": Text(en="does not fit", id="tidak cukup"),
    "show.window-unknown": Text(en="{count} not measured yet", id="{count} belum pernah diukur"),
    "show.window-outside": Text(
        en="backed up outside of the window: {vms}", id="dicadangkan di luar jendela: {vms}"
    ),
    "show.converge-done": Text(en="put right", id="dibetulkan"),
    "show.converge-due": Text(en="would be put right", id="akan dibetulkan"),
    "show.converge-failed": Text(en="not put right", id="gagal dibetulkan"),
    "show.converge-left": Text(en="left as it is", id="dibiarkan"),
    "show.converge-none": Text(
        en="the protection of {compared} VMs is as their classes promise",
        id="perlindungan {compared} VM sesuai dengan janji kelasnya",
    ),
    "show.converge-some": Text(
        en="{compared} VMs compared; the protection of {differing} had come to differ",
        id="{compared} VM dibandingkan; perlindungan {differing} di antaranya menyimpang",
    ),
}
