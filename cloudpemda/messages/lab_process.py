"""Texts about the lab as a process."""

from cloudpemda.messages import Text

TEXTS = {
    "lab.not-running": Text(
        en="no lab is running in {directory}",
        id="tidak ada lab yang berjalan di {directory}",
        next_en="Start it: cloudpemda --site DIR lab start",
        next_id="Jalankan: cloudpemda --site DIR lab start",
    ),
    "lab.without-cluster": Text(
        en="the lab that runs has no cluster {cluster} (it has {known})",
        id="lab yang berjalan tidak punya klaster {cluster} (yang ada: {known})",
        next_en="site.yaml and lab.yaml must name the same clusters; then restart the lab: "
        "`cloudpemda lab stop`, `cloudpemda lab start`.",
        next_id="site.yaml dan lab.yaml harus menyebut klaster yang sama; lalu jalankan ulang lab: "
        "`cloudpemda lab stop`, `cloudpemda lab start`.",
    ),
    "lab.without-server": Text(
        en="the lab that runs has no backup server {server} (it has {known})",
        id="lab yang berjalan tidak punya server backup {server} (yang ada: {known})",
        next_en="backupServers in site.yaml and lab.yaml must have the same names; then restart "
        "the lab: `cloudpemda lab stop`, `cloudpemda lab start`.",
        next_id="Nama backupServers di site.yaml dan lab.yaml harus sama; lalu jalankan ulang lab: "
        "`cloudpemda lab stop`, `cloudpemda lab start`.",
    ),
    "lab.start-failed": Text(
        en="the lab did not come up in {directory}: {log}",
        id="lab tidak dapat dijalankan di {directory}: {log}",
        next_en="Mend what its log says, then start it again.",
        next_id="Perbaiki yang disebut catatannya, lalu jalankan lagi.",
    ),
    "lab.stop-failed": Text(
        en="the lab in {directory} (process {pid}) did not stop in time",
        id="lab di {directory} (proses {pid}) tidak berhenti pada waktunya",
        next_en="Look at its lab.log; end the process by hand if it hangs.",
        next_id="Lihat lab.log; hentikan proses itu secara manual bila macet.",
    ),
    "lab.refused": Text(
        en="the lab refused {path}: {detail}",
        id="lab menolak {path}: {detail}",
        next_en="Correct what it names and try again.",
        next_id="Perbaiki yang disebutnya lalu coba lagi.",
    ),
    "lab.fault-file": Text(
        en="no fault script: it has no list `faults`",
        id="bukan skrip gangguan: tidak ada daftar `faults`",
        next_en="docs/lab.md shows the form of a fault script.",
        next_id="docs/lab.md menunjukkan bentuk skrip gangguan.",
    ),
    "lab.real-site": Text(
        en="the clusters of {directory} are real: it has no lab",
        id="klaster di {directory} adalah klaster nyata: tidak ada lab di sini",
        next_en="Use inventories/lab, or a site whose clusters say `endpoints: lab`.",
        next_id="Pakai inventories/lab, atau situs yang klasternya `endpoints: lab`.",
    ),
}
