"""Texts of the command line itself."""

from cloudpemda.messages import Text

TEXTS = {
    "cli.usage": Text(
        en="{problem}",
        id="{problem}",
        next_en="See the command's --help.",
        next_id="Lihat --help dari perintah itu.",
    ),
    "cli.usage-line": Text(en="Usage: {usage}", id="Pemakaian: {usage}"),
    "cli.missing": Text(en="missing: {name}", id="belum ditulis: {name}"),
    "cli.no-option": Text(
        en="no such option: {name}; near it: {close}",
        id="opsi {name} tidak ada; yang mirip: {close}",
    ),
    "cli.no-command": Text(
        en="no such command: {name}; near it: {close}",
        id="perintah {name} tidak ada; yang mirip: {close}",
    ),
    "cli.argument": Text(
        en="argument {number} is not text in UTF-8: {argument}",
        id="argumen ke-{number} bukan teks UTF-8: {argument}",
        next_en="Write it in UTF-8; rename a file whose name is in another encoding.",
        next_id="Tulis dalam UTF-8; ganti nama berkas yang namanya memakai pengodean lain.",
    ),
    "show.yes-no": Text(en="[y/N]", id="[y/T]"),
    "show.which-answer": Text(en="Please type y or n.", id="Ketik y (ya) atau t (tidak)."),
    "show.declined": Text(
        en="not confirmed; nothing was done", id="batal; tidak ada yang dikerjakan"
    ),
    "cli.no-answer": Text(
        en="nobody is there to confirm; nothing was done",
        id="tidak ada yang menjawab pertanyaan itu; tidak ada yang dikerjakan",
        next_en="Without a terminal, say --yes once you have read what will be done.",
        next_id="Tanpa terminal, tambahkan --yes setelah membaca apa yang akan dikerjakan.",
    ),
    "cli.interrupted": Text(
        en="interrupted; whatever was begun is recorded",
        id="dihentikan; apa pun yang sudah dimulai tetap tercatat",
        next_en="Run the same command again: it goes on, or begins anew.",
        next_id="Jalankan perintah yang sama lagi: ia melanjutkan, atau mulai dari awal.",
    ),
    "cli.bug": Text(
        en="a bug of cloudpemda ({kind}); the traceback is on stderr",
        id="kesalahan program cloudpemda ({kind}); jejaknya ada di stderr",
        next_en="Nothing was reported as done. Please send the traceback to the maintainers.",
        next_id="Tidak ada yang dilaporkan selesai. Kirim jejak itu kepada pemelihara program.",
    ),
    "cli.draft-options": Text(
        en="--from needs --token-id, --token-file and one of --ca and --fingerprint",
        id="--from memerlukan --token-id, --token-file, dan salah satu dari --ca dan --fingerprint",
        next_en="Make a token with pveum, keep its secret in a file, and take the CA from "
        "/etc/pve/pve-root-ca.pem of a node.",
        next_id="Buat token dengan pveum, simpan rahasianya dalam berkas, dan ambil CA dari "
        "/etc/pve/pve-root-ca.pem di sebuah node.",
    ),
    "cli.draft-url": Text(
        en="{url} is no https://host:port",
        id="{url} bukan https://host:port",
        next_en="Write it like https://pve1.example.go.id:8006.",
        next_id="Tulis seperti https://pve1.example.go.id:8006.",
    ),
    "lab.listen": Text(
        en="{listen!r} is not HOST:PORT",
        id="{listen!r} bukan HOST:PORT",
        next_en="Write it like 127.0.0.1:8006.",
        next_id="Tulis seperti 127.0.0.1:8006.",
    ),
    "lab.password-missing": Text(
        en="the recorded cluster needs a password for root@pam",
        id="klaster rekaman memerlukan kata sandi untuk root@pam",
        next_en="Give --root-password, or set CLOUDPEMDA_LAB_ROOT_PASSWORD.",
        next_id="Beri --root-password, atau isi CLOUDPEMDA_LAB_ROOT_PASSWORD.",
    ),
    "lab.no-directory": Text(
        en="there is no directory {directory}",
        id="tidak ada direktori {directory}",
        next_en="Give the site's: cloudpemda --site DIR lab start",
        next_id="Sebutkan direktori situs: cloudpemda --site DIR lab start",
    ),
    "lab.state-missing": Text(
        en="--version and --listen are for one recorded cluster; a site's own layout says the rest",
        id="--version dan --listen untuk satu klaster rekaman; selebihnya tata letak situs sendiri",
        next_en="Add --state recorded, or leave them out.",
        next_id="Tambahkan --state recorded, atau hilangkan keduanya.",
    ),
    "lab.started": Text(
        en="the lab is running (process {pid}, state in {directory})",
        id="lab berjalan (proses {pid}, keadaan di {directory})",
    ),
    "lab.runs-already": Text(
        en="the lab runs already (process {pid}, state in {directory})",
        id="lab sudah berjalan (proses {pid}, keadaan di {directory})",
    ),
    "lab.stopped": Text(
        en="the lab is stopped; its state stays in {directory}",
        id="lab dihentikan; keadaannya tetap di {directory}",
    ),
    "lab.was-not-running": Text(
        en="no lab was running in {directory}", id="tidak ada lab yang berjalan di {directory}"
    ),
    "lab.advanced": Text(
        en="the lab's clock moved by {by}; it is {now} there",
        id="jam lab maju {by}; di sana sekarang {now}",
    ),
    "lab.reset-ask": Text(
        en="Put lab and ledger of {directory} back to the beginning? All their VMs and records go.",
        id="Kembalikan lab dan buku besar {directory} ke awal? Semua VM dan catatannya hilang.",
    ),
    "lab.was-reset": Text(
        en="lab and ledger are back at the beginning", id="lab dan buku besar kembali ke awal"
    ),
}
