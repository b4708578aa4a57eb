"""Texts of requests."""

from cloudpemda.messages import Text

TEXTS = {
    "request.unknown-key": Text(
        en="unknown key {key}",
        id="kunci {key} tidak dikenal",
        next_en="Known here, nearest first: {known}.",
        next_id="Yang dikenal di sini, dari yang paling mirip: {known}.",
    ),
    "request.not-yet": Text(
        en="{key} is not available yet",
        id="{key} belum tersedia",
        next_en="Leave it out; write in the letter what you need, so that Diskominfo knows.",
        next_id="Jangan ditulis dulu; sebutkan kebutuhannya dalam surat agar Diskominfo tahu.",
    ),
    "request.equal-names": Text(
        en="the name {name} stands already on line {line}",
        id="nama {name} sudah dipakai di baris {line}",
        next_en="Give each its own name.",
        next_id="Beri nama yang berbeda.",
    ),
    "request.no-size": Text(
        en="the size of this VM is not said: no flavor, and no {missing}",
        id="ukuran VM ini belum disebut: tidak ada flavor, dan tidak ada {missing}",
        next_en="Write a flavor, or both cpu and memory.",
        next_id="Tulis flavor, atau cpu beserta memory.",
    ),
    "request.two-sizes": Text(
        en="{key} stands beside a flavor, which says it already",
        id="{key} ditulis bersama flavor yang sudah menentukannya",
        next_en="Keep the flavor, or cpu and memory.",
        next_id="Pilih flavor saja, atau cpu dan memory saja.",
    ),
    "request.unknown-flavor": Text(
        en="the catalogue has no flavor {flavor}",
        id="flavor {flavor} tidak ada di katalog",
        next_en="Choose from: {known}; or write cpu and memory.",
        next_id="Pilih dari: {known}; atau tulis cpu dan memory.",
    ),
    "request.no-root-disk": Text(
        en="no disk is named root",
        id="tidak ada disk bernama root",
        next_en="Name the system disk root.",
        next_id="Beri nama root pada disk sistem.",
    ),
    "request.name-too-long": Text(
        en="the VM would be called {name}: {length} characters, and {most} are allowed",
        id="VM akan bernama {name}: {length} karakter, padahal paling banyak {most}",
        next_en="Shorten the name of the request or of the VM.",
        next_id="Persingkat nama permohonan atau nama VM.",
    ),
    "request.ssh-private-key": Text(
        en="this is a private key, which must never leave its owner's machine",
        id="ini kunci privat, yang tidak boleh keluar dari komputer pemiliknya",
        next_en="Treat it as lost and make a new pair; write here the one line of the .pub file.",
        next_id="Anggap sudah bocor dan buat pasangan baru; tulis di sini isi satu baris "
        "berkas .pub.",
    ),
    "request.ssh-key-type": Text(
        en="this does not begin with a known kind of public key",
        id="ini tidak diawali jenis kunci publik yang dikenal",
        next_en="Known are: {types}. Copy the whole line of the .pub file.",
        next_id="Yang dikenal: {types}. Salin seluruh baris berkas .pub.",
    ),
    "request.ssh-key": Text(
        en="the public key is damaged",
        id="kunci publik ini rusak",
        next_en="Copy the whole line of the .pub file, in quotes.",
        next_id="Salin seluruh baris berkas .pub, dalam tanda kutip.",
    ),
    "request.ssh-key-short": Text(
        en="the RSA key has fewer than 2048 bits",
        id="kunci RSA kurang dari 2048 bit",
        next_en="Make a new one: ssh-keygen -t ed25519.",
        next_id="Buat yang baru: ssh-keygen -t ed25519.",
    ),
    "request.change-refused": Text(
        en="{key} ({number}) lives, and cannot be changed like this",
        id="{key} ({number}) sedang berjalan dan tidak dapat diubah seperti ini",
        next_en="See to the points below and hand it in again; nothing was changed.",
        next_id="Perbaiki butir-butir berikut lalu serahkan lagi; belum ada yang diubah.",
    ),
    "request.disk-shrinks": Text(
        en="the disk {subject} would shrink from {before} to {after}",
        id="disk {subject} akan mengecil dari {before} menjadi {after}",
        next_en="A disk only grows: write at least {before}, or ask for a new, smaller disk and "
        "move the data.",
        next_id="Disk hanya dapat membesar: tulis paling sedikit {before}, atau minta disk "
        "baru yang lebih kecil lalu pindahkan datanya.",
    ),
    "request.not-public": Text(
        en="a VM without a public address is not reached from the internet",
        id="VM tanpa alamat publik tidak dapat dijangkau dari internet",
        next_en="Write `publicIp: true` at one of its networks, or another `from`.",
        next_id="Tulis `publicIp: true` pada salah satu jaringannya, atau `from` yang lain.",
    ),
    "request.expose-stays": Text(
        en="{subject} lives with a firewall; without `expose` it would stand open",
        id="{subject} berjalan dengan firewall; tanpa `expose` VM itu terbuka",
        next_en="Write `expose: []` to close it, or list what may be reached.",
        next_id="Tulis `expose: []` untuk menutupnya, atau daftar apa yang boleh dijangkau.",
    ),
    "request.role-missing": Text(
        en="`{role}` sets up a role that `roles` does not list",
        id="`{role}` mengatur peran yang tidak tercantum di `roles`",
        next_en="Add {role} to `roles`, or remove the key.",
        next_id="Tambahkan {role} ke `roles`, atau hapus kunci itu.",
    ),
    "request.roles-adopted": Text(
        en="an adopted VM gets no roles: nobody of us has a key to it",
        id="VM yang diadopsi tidak dapat diberi peran: kami tidak punya kunci ke sana",
        next_en="Remove `roles`; ask for a new VM with it and move over.",
        next_id="Hapus `roles`; mintalah VM baru dengan peran itu lalu pindah.",
    ),
    "request.roles-need-ssh": Text(
        en="roles are set up over SSH, and `expose` closes it to Diskominfo",
        id="peran disiapkan lewat SSH, sedangkan `expose` menutupnya bagi Diskominfo",
        next_en="Add {{port: 22, from: pemda}} to `expose`.",
        next_id="Tambahkan {{port: 22, from: pemda}} ke `expose`.",
    ),
    "request.database-name": Text(
        en="{value} is no name of a database",
        id="{value} bukan nama basis data",
        next_en="Begin with a small letter, then small letters, digits and _; at most 31.",
        next_id="Awali dengan huruf kecil, lalu huruf kecil, angka dan _; paling banyak 31.",
    ),
    "request.host-name": Text(
        en="{value} is no DNS name",
        id="{value} bukan nama DNS",
        next_en="Write it in small letters, as simrs.example.go.id.",
        next_id="Tulis dengan huruf kecil, misalnya simrs.example.go.id.",
    ),
    "request.image-changes": Text(
        en="{subject} was made from {before}; a VM that lives does not change to {after}",
        id="{subject} dibuat dari {before}; VM yang berjalan tidak dapat diganti ke {after}",
        next_en="Keep {before}, or ask for a VM of another name with {after} and move over.",
        next_id="Pertahankan {before}, atau minta VM bernama lain dengan {after} lalu pindah.",
    ),
    "request.root-disk-stays": Text(
        en="this takes away {subject} ({before}), which {vm} starts from",
        id="ini mengambil {subject} ({before}), disk yang dipakai {vm} untuk menyala",
        next_en="Keep the first disk; any other can go. To be rid of the VM, leave it out.",
        next_id="Pertahankan disk pertama; disk lain boleh dilepas. Untuk melepas VM-nya, "
        "jangan tulis VM itu.",
    ),
    "request.retires": Text(
        en="this removes {gone}, with the data",
        id="ini menghapus {gone} beserta datanya",
        next_en="If it is not meant, write it again. If it is: `cloudpemda request submit "
        "--allow-retire FILE`; for a file in the inbox Diskominfo does it.",
        next_id="Bila tidak dimaksud, tulis kembali. Bila dimaksud: `cloudpemda request submit "
        "--allow-retire BERKAS`; untuk berkas di kotak masuk, Diskominfo yang melakukannya.",
    ),
}
