"""Texts of the site directory."""

from cloudpemda.messages import Text

_ONE_OF_EN = "Known are: {known}."
_ONE_OF_ID = "Yang ada: {known}."

TEXTS = {
    "site.none": Text(
        en="{directory} is no site directory: it has no site.yaml",
        id="{directory} bukan direktori situs: tidak ada site.yaml",
        next_en="Name your site before the command: cloudpemda --site DIRECTORY … A new one is "
        "made by `cloudpemda init {directory}`.",
        next_id="Sebutkan situs Anda sebelum perintahnya: cloudpemda --site DIREKTORI … Situs baru "
        "dibuat dengan `cloudpemda init {directory}`.",
    ),
    "site.not-empty": Text(
        en="{directory} is not empty",
        id="{directory} tidak kosong",
        next_en="Name a new directory; nothing was written.",
        next_id="Sebutkan direktori baru; tidak ada yang ditulis.",
    ),
    "site.not-writable": Text(
        en="{directory} cannot be written to",
        id="{directory} tidak dapat ditulisi",
        next_en="Check that its parent exists and that your account may write there.",
        next_id="Pastikan induknya ada dan akun Anda boleh menulis di sana.",
    ),
    "site.file-name": Text(
        en="files of this folder end in .yaml, and this one does not",
        id="berkas di folder ini berakhiran .yaml, yang ini tidak",
        next_en="Rename it, or move it away.",
        next_id="Ganti namanya, atau pindahkan.",
    ),
    "site.secret": Text(
        en="the file does not hold one printable word",
        id="berkas ini tidak memuat satu kata yang dapat dicetak",
        next_en="Write the token's secret into it, and nothing else.",
        next_id="Isi dengan rahasia token saja, tanpa yang lain.",
    ),
    # -- single values
    "site.zone": Text(
        en="{value} is no time zone",
        id="{value} bukan zona waktu",
        next_en="Write a name such as Asia/Jakarta (WIB), Asia/Makassar (WITA) or "
        "Asia/Jayapura (WIT).",
        next_id="Tulis nama seperti Asia/Jakarta (WIB), Asia/Makassar (WITA), atau "
        "Asia/Jayapura (WIT).",
    ),
    "site.cidr": Text(
        en="{value} is no network",
        id="{value} bukan jaringan",
        next_en="Write network address and prefix length, e.g. 10.10.110.0/24.",
        next_id="Tulis alamat jaringan dan panjang prefiks, misalnya 10.10.110.0/24.",
    ),
    "site.address": Text(
        en="{value} is no IPv4 address",
        id="{value} bukan alamat IPv4",
        next_en="Write it like 10.10.110.1.",
        next_id="Tulis seperti 10.10.110.1.",
    ),
    "site.address-range": Text(
        en="{value} is no range of addresses",
        id="{value} bukan rentang alamat",
        next_en="Write the lower one first: 10.10.110.1-10.10.110.20, or a single address.",
        next_id="Tulis yang rendah dulu: 10.10.110.1-10.10.110.20, atau satu alamat.",
    ),
    "site.vmids": Text(
        en="{value} is no range of VMIDs",
        id="{value} bukan rentang VMID",
        next_en="Write the lower one first, from 100 to 999999999: 10000-10999.",
        next_id="Tulis yang rendah dulu, dari 100 sampai 999999999: 10000-10999.",
    ),
    "site.endpoints": Text(
        en="{value} is no endpoint",
        id="{value} bukan titik akses",
        next_en='Write a list of addresses like "https://pve1.example.go.id:8006", or lab.',
        next_id='Tulis daftar alamat seperti "https://pve1.example.go.id:8006", atau lab.',
    ),
    "site.thresholds": Text(
        en="{value} is no threshold",
        id="{value} bukan ambang",
        next_en="Write a percentage from 1 to 100, or several in rising order: [80, 95].",
        next_id="Tulis persentase 1 sampai 100, atau beberapa dari kecil ke besar: [80, 95].",
    ),
    "site.storage-id": Text(
        en="{value} is no storage id of PVE",
        id="{value} bukan ID penyimpanan PVE",
        next_en="Write it as pvesm status shows it, e.g. local-zfs.",
        next_id="Tulis seperti pada pvesm status, misalnya local-zfs.",
    ),
    "site.realm": Text(
        en="{value} is no realm name of PVE",
        id="{value} bukan nama realm PVE",
        next_en="Use the name as Datacenter → Permissions → Realms has it, e.g. pve or pemda-ldap.",
        next_id="Pakai nama seperti di Datacenter → Permissions → Realms, misalnya pve atau "
        "pemda-ldap.",
    ),
    "site.pool": Text(
        en="{value} is no pool name of PVE",
        id="{value} bukan nama pool PVE",
        next_en="Use letters, digits, dots, hyphens and underscores, e.g. opd-dinkes.",
        next_id="Pakai huruf, angka, titik, tanda hubung, garis bawah, misalnya opd-dinkes.",
    ),
    "site.bridge": Text(
        en="{value} is no bridge",
        id="{value} bukan bridge",
        next_en="Write it as the node calls it, e.g. vmbr0.",
        next_id="Tulis seperti di node, misalnya vmbr0.",
    ),
    "site.vnet": Text(
        en="{value} is no VNet",
        id="{value} bukan VNet",
        next_en="Write it as PVE's SDN calls it: 2 to 8 letters and digits, e.g. dinkes.",
        next_id="Tulis seperti di SDN PVE: 2 sampai 8 huruf dan angka, misalnya dinkes.",
    ),
    "site.network": Text(
        en="a network is either a bridge (with or without a VLAN) or a VNet",
        id="jaringan adalah bridge (dengan atau tanpa VLAN) atau VNet, bukan keduanya",
        next_en="Write `bridge` or `vnet`; a VNet has its tag in PVE.",
        next_id="Tulis `bridge` atau `vnet`; tag VNet diatur di PVE.",
    ),
    "site.login": Text(
        en="{value} is no login",
        id="{value} bukan nama login",
        next_en="Write it as the machine knows it, without spaces.",
        next_id="Tulis seperti yang dikenal mesin, tanpa spasi.",
    ),
    "site.token": Text(
        en="{value} is no token id",
        id="{value} bukan ID token",
        next_en="Write user, realm and name, e.g. cloudpemda@pve!apply; never the secret.",
        next_id="Tulis pengguna, realm, dan nama, misalnya cloudpemda@pve!apply; "
        "jangan rahasianya.",
    ),
    "site.fingerprint": Text(
        en="{value} is no SHA-256 fingerprint",
        id="{value} bukan sidik jari SHA-256",
        next_en="Write the 32 pairs of hex digits with colons that pvenode cert info shows.",
        next_id="Tulis 32 pasang digit heksadesimal dengan titik dua seperti pada "
        "pvenode cert info.",
    ),
    "site.tls": Text(
        en="ca and fingerprint are both said",
        id="ca dan fingerprint disebut dua-duanya",
        next_en="Keep one: the CA for a certificate that is renewed, the fingerprint for one "
        "that signs itself.",
        next_id="Pilih satu: CA untuk sertifikat yang diperpanjang, fingerprint untuk yang "
        "menandatangani dirinya.",
    ),
    "site.time-of-day": Text(
        en="{value} is no time of day",
        id="{value} bukan jam",
        next_en='Write hours and minutes in quotes: "01:00".',
        next_id='Tulis jam dan menit dalam tanda kutip: "01:00".',
    ),
    "site.window-empty": Text(
        en="the window begins and ends at {value}",
        id="jendela malam mulai dan berakhir pada {value}",
        next_en='Let `from` and `until` differ, as "20:00" and "06:00" do.',
        next_id='Beri `from` dan `until` yang berbeda, misalnya "20:00" dan "06:00".',
    ),
    "site.ledger-url": Text(
        en="{value} is no place for a ledger",
        id="{value} bukan tempat buku besar",
        next_en="Write sqlite:///var/ledger.sqlite3 or postgresql+psycopg://host/name.",
        next_id="Tulis sqlite:///var/ledger.sqlite3 atau postgresql+psycopg://host/nama.",
    ),
    "site.import-volume": Text(
        en="{value} is no import volume",
        id="{value} bukan volume impor",
        next_en="Write storage and file as pvesm list shows them: nfs:import/debian-12.qcow2.",
        next_id="Tulis penyimpanan dan berkas seperti pada pvesm list: nfs:import/debian-12.qcow2.",
    ),
    "site.image": Text(
        en="an image is found either by import or by template",
        id="citra ditemukan lewat import atau lewat template",
        next_en="Write one of the two.",
        next_id="Tulis salah satu.",
    ),
    # -- what files say of each other
    "site.opd-file-name": Text(
        en="the file of {code} must be called {code}.yaml",
        id="berkas {code} harus bernama {code}.yaml",
        next_en="Rename the file, or correct the code.",
        next_id="Ganti nama berkas, atau perbaiki kodenya.",
    ),
    "site.channel-twice": Text(
        en="two channels of `notify` are called {name}; the first is on line {line}",
        id="dua kanal `notify` bernama {name}; yang pertama di baris {line}",
        next_en="Give one of them another name.",
        next_id="Beri salah satunya nama lain.",
    ),
    "site.parent-cycle": Text(
        en="{code} is its own parent, by way of its parents",
        id="{code} menjadi induk dirinya sendiri lewat induk-induknya",
        next_en="A UPT has a dinas as parent, and a dinas has none.",
        next_id="UPT berinduk pada dinas, dan dinas tidak berinduk.",
    ),
    "site.vmids-overlap": Text(
        en="the VMIDs {vmids} meet those of {other} ({others})",
        id="VMID {vmids} bertumpang tindih dengan milik {other} ({others})",
        next_en="Give each OPD a range of its own; a range in use must stay.",
        next_id="Beri tiap OPD rentang sendiri; rentang yang sudah dipakai harus tetap.",
    ),
    "site.equal-pools": Text(
        en="the pool {pool} is that of {other} already",
        id="pool {pool} sudah dipakai {other}",
        next_en="Give each OPD a pool of its own.",
        next_id="Beri tiap OPD pool sendiri.",
    ),
    "site.equal-logins": Text(
        en="the login {login} stands already on line {line}",
        id="login {login} sudah ada di baris {line}",
        next_en="Keep one entry, with all roles of the person.",
        next_id="Pertahankan satu entri, dengan semua peran orang itu.",
    ),
    "site.minute": Text(
        en="{value} is no minute of a day",
        id="{value} bukan menit pada suatu hari",
        next_en="Write date and time of the site's zone, e.g. 2026-11-20 08:00; a day's end is "
        "00:00 of the next one.",
        next_id="Tulis tanggal dan jam menurut zona situs, misalnya 2026-11-20 08:00; akhir suatu "
        "hari adalah 00:00 hari berikutnya.",
    ),
    "site.delegation-order": Text(
        en="the delegation ends before it begins",
        id="pelimpahan berakhir sebelum dimulai",
        next_en="Write in `until` a minute after `since`.",
        next_id="Tulis di `until` menit sesudah `since`.",
    ),
    "site.delegation-self": Text(
        en="{login} cannot stand in for themself",
        id="{login} tidak dapat mewakili dirinya sendiri",
        next_en="Name somebody else in `to`, or take the delegation out.",
        next_id="Sebutkan orang lain di `to`, atau hapus pelimpahan ini.",
    ),
    "site.delegation-role": Text(
        en="{login} is no {role} for {opd} and has nothing to delegate",
        id="{login} bukan {role} untuk {opd} sehingga tidak ada yang dapat dilimpahkan",
        next_en="Name in `from` whoever holds the post; a vacant post (Plt) keeps its entry in "
        "`people` while somebody stands in for it.",
        next_id="Sebutkan di `from` pemegang jabatannya; jabatan kosong (Plt) tetap tercantum di "
        "`people` selama ada yang mewakilinya.",
    ),
    "site.delegation-passed-on": Text(
        en="{login} only stands in as {role} and cannot pass that on",
        id="{login} hanya mewakili sebagai {role} dan tidak dapat melimpahkannya lagi",
        next_en="Let whoever holds the post delegate to the third person directly, by letter.",
        next_id="Mintalah pemegang jabatan melimpahkan langsung kepada orang itu, dengan surat.",
    ),
    "site.equal-rules": Text(
        en="there are two approval rules named {name}",
        id="ada dua aturan persetujuan bernama {name}",
        next_en="Name each rule once: decisions are recorded under it.",
        next_id="Beri tiap aturan nama sendiri: keputusan dicatat dengan nama itu.",
    ),
    "site.unknown-login": Text(
        en="nobody in `people` has the login {name}",
        id="tidak ada orang di `people` dengan login {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
    "site.equal-nips": Text(
        en="the NIP of {login} stands already on line {line}",
        id="NIP milik {login} sudah ada di baris {line}",
        next_en="A person has one entry and one login; correct the NIP, or join the entries.",
        next_id="Satu orang satu entri dan satu login; perbaiki NIP, atau gabungkan entrinya.",
    ),
    "site.writable": Text(
        en="others than its owner may write here (mode {mode}), and it decides who may do what",
        id="selain pemiliknya boleh menulis di sini (mode {mode}), padahal isinya menentukan "
        "wewenang",
        next_en="chmod go-w it, and check that nobody has changed it.",
        next_id="Jalankan chmod go-w, dan pastikan isinya belum diubah orang lain.",
    ),
    "site.foreign": Text(
        en="it belongs to uid {uid}, who is neither root nor the account that runs this command",
        id="pemiliknya uid {uid}, bukan root dan bukan akun yang menjalankan perintah ini",
        next_en="chown it to root or to cloudpemda's account, and check what stands in it.",
        next_id="Jalankan chown ke root atau akun cloudpemda, dan periksa isinya.",
    ),
    "site.no-production": Text(
        en="no cluster has the role production",
        id="tidak ada klaster berperan production",
        next_en="Write role: production for the one that runs the OPDs' VMs.",
        next_id="Tulis role: production pada klaster yang menjalankan VM OPD.",
    ),
    "site.no-default": Text(
        en="the default quota says nothing of {dimension}",
        id="kuota bawaan belum menyebut {dimension}",
        next_en="Add it: an amount, 0 for none, or unlimited.",
        next_id="Tambahkan: jumlah, 0 untuk tidak ada, atau unlimited untuk tanpa batas.",
    ),
    "site.gateway": Text(
        en="the gateway {gateway} is no usable address of {cidr}",
        id="gateway {gateway} bukan alamat yang dapat dipakai di {cidr}",
        next_en="Choose an address between the network's first and last.",
        next_id="Pilih alamat di antara alamat pertama dan terakhir jaringan.",
    ),
    "site.reserved-outside": Text(
        en="the reserved range {range} is not inside {cidr}",
        id="rentang cadangan {range} tidak berada di dalam {cidr}",
        next_en="Correct the range or the network.",
        next_id="Perbaiki rentang atau jaringannya.",
    ),
    "site.cidr-overlap": Text(
        en="{cidr} overlaps with {others} of {other}",
        id="{cidr} bertumpang tindih dengan {others} milik {other}",
        next_en="Give each network addresses of its own.",
        next_id="Beri tiap jaringan alamat sendiri.",
    ),
    "site.vlan-overlap": Text(
        en="VLAN {vlan} on {bridge} is that of {other} already",
        id="VLAN {vlan} di {bridge} sudah dipakai {other}",
        next_en="Give each network a VLAN of its own.",
        next_id="Beri tiap jaringan VLAN sendiri.",
    ),
    "site.no-backup-storage": Text(
        en="the class {name} promises backups, and no cluster names a backup storage",
        id="kelas {name} menjanjikan cadangan, tetapi tidak ada klaster yang menyebut "
        "penyimpanan cadangan",
        next_en="Write backup: <storage id> in the cluster's settings.",
        next_id="Tulis backup: <ID penyimpanan> pada pengaturan klaster.",
    ),
    "site.unknown-opd": Text(
        en="there is no OPD {name}",
        id="tidak ada OPD {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
    "site.unknown-cluster": Text(
        en="there is no cluster {name}",
        id="tidak ada klaster {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
    "site.unknown-network": Text(
        en="there is no network {name}",
        id="tidak ada jaringan {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
    "site.unknown-service-class": Text(
        en="there is no service class {name}",
        id="tidak ada kelas layanan {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
    "site.unknown-storage-class": Text(
        en="no cluster has storage of the class {name}",
        id="tidak ada klaster dengan penyimpanan kelas {name}",
        next_en=_ONE_OF_EN,
        next_id=_ONE_OF_ID,
    ),
}
