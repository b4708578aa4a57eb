"""Texts of the servers' inventory, and of playing playbooks on it."""

from cloudpemda.messages import Text

TEXTS = {
    "configure.no-inventory": Text(
        en="the site has no inventory of its servers: {file} is not there",
        id="situs belum punya inventaris server: {file} tidak ada",
        next_en="Write it as docs/nodes.md shows; inventories/purwakarta/ansible is an example.",
        next_id="Tulislah seperti pada docs/nodes.md; contohnya inventories/purwakarta/ansible.",
    ),
    "configure.unknown-variable": Text(
        en="no role and no inventory knows the variable `{key}` (known: {known})",
        id="variabel `{key}` tidak dikenal peran maupun inventaris (yang dikenal: {known})",
        next_en="Correct its name; each role's README.md lists what it reads.",
        next_id="Perbaiki namanya; README.md tiap peran memuat variabel yang dibacanya.",
    ),
    "configure.missing": Text(
        en="`{name}` is not set for {host}",
        id="`{name}` belum diisi untuk {host}",
        next_en="Set it there; docs/nodes.md says what it is, with an example.",
        next_id="Isilah di sana; artinya dan contohnya ada di docs/nodes.md.",
    ),
    "configure.no-group": Text(
        en="cluster {cluster} of site.yaml has no servers: no group `{group}` has hosts",
        id="klaster {cluster} di site.yaml belum punya server: grup `{group}` tidak berisi host",
        next_en="Add the group with its hosts below all.children.",
        next_id="Tambahkan grup itu beserta host-nya di bawah all.children.",
    ),
    "configure.group": Text(
        en="the group `{group}` is no cluster of site.yaml (groups that are played: {known})",
        id="grup `{group}` bukan klaster di site.yaml (grup yang dijalankan: {known})",
        next_en="Name groups as the clusters, with _ for -.",
        next_id="Namai grup sama dengan klaster, dengan _ sebagai pengganti -.",
    ),
    "configure.file-of-nobody": Text(
        en="no group and no host is called `{name}`: nobody reads this file",
        id="tidak ada grup maupun host bernama `{name}`: berkas ini tidak dibaca siapa pun",
        next_en="Name it after a group or a host of hosts.yaml, or remove it.",
        next_id="Samakan namanya dengan grup atau host di hosts.yaml, atau hapus.",
    ),
    "configure.file-unread": Text(
        en="Ansible may read this, and nothing here checks it",
        id="Ansible mungkin membacanya, tetapi isinya tidak diperiksa di sini",
        next_en="Servers belong into hosts.yaml, variables into group_vars/GROUP.yaml or "
        "group_vars/GROUP/NAME.yaml (host_vars the same way); remove what is neither.",
        next_id="Server ditulis di hosts.yaml, variabel di group_vars/GRUP.yaml atau "
        "group_vars/GRUP/NAMA.yaml (begitu pula host_vars); hapus yang bukan keduanya.",
    ),
    "configure.file-second": Text(
        en="Ansible reads {first} and then not this file",
        id="Ansible membaca {first}, sehingga berkas ini tidak dibaca",
        next_en="Put everything into one: a file, or a directory with several.",
        next_id="Satukan semuanya: satu berkas, atau satu direktori berisi beberapa berkas.",
    ),
    "configure.plain-secret": Text(
        en="`{name}` is a secret, and stands here for everybody to read",
        id="`{name}` adalah rahasia, dan di sini dapat dibaca siapa saja",
        next_en="Move it to a file of its own beside this one (group_vars/GROUP/vault.yaml) and "
        "`ansible-vault encrypt` that; ANSIBLE_VAULT_PASSWORD_FILE names its password. Renew it.",
        next_id="Pindahkan ke berkas tersendiri (group_vars/GRUP/vault.yaml) lalu `ansible-vault "
        "encrypt`; ANSIBLE_VAULT_PASSWORD_FILE menyebut sandinya. Ganti rahasia itu.",
    ),
    "configure.host-twice": Text(
        en="{host} stands in several groups ({groups}): Ansible would mix their variables",
        id="{host} ada di beberapa grup ({groups}): Ansible akan mencampur variabelnya",
        next_en="Keep it in one. A machine that does two things gets two names with one address.",
        next_id="Simpan di satu grup saja. Mesin dengan dua tugas diberi dua nama, satu alamat.",
    ),
    "configure.interface": Text(
        en="`{value}` is no address with its prefix",
        id="`{value}` bukan alamat beserta prefiksnya",
        next_en="Write it as 10.20.1.11/24.",
        next_id="Tulislah seperti 10.20.1.11/24.",
    ),
    "configure.admin-network": Text(
        en="`{value}` is no network that administrators come from",
        id="`{value}` bukan jaringan asal para pengelola",
        next_en="Write it as 10.20.9.0/24; a network of half the world is refused.",
        next_id="Tulislah seperti 10.20.9.0/24; jaringan yang terlalu luas ditolak.",
    ),
    "configure.disk": Text(
        en="`{value}` does not name a disk by its identity",
        id="`{value}` tidak menyebut disk menurut identitasnya",
        next_en="Take it from `ls -l /dev/disk/by-id` on that server: /dev/sdb may be another disk "
        "after the next start.",
        next_id="Ambil dari `ls -l /dev/disk/by-id` di server itu: /dev/sdb bisa menjadi disk lain "
        "setelah server dinyalakan ulang.",
    ),
    "configure.card": Text(
        en="`{value}` is no name of a network card",
        id="`{value}` bukan nama kartu jaringan",
        next_en="Take it from `ip -br link` on that server, with .VLAN where it is tagged.",
        next_id="Ambil dari `ip -br link` di server itu, dengan .VLAN bila bertanda.",
    ),
    "configure.server": Text(
        en="`{value}` is no name or address of a server",
        id="`{value}` bukan nama atau alamat server",
        next_en="Write a DNS name or an address.",
        next_id="Tulislah nama DNS atau alamat.",
    ),
    "configure.twice": Text(
        en="`{name}` lists something twice",
        id="`{name}` memuat sesuatu dua kali",
        next_en="Name each once.",
        next_id="Sebutkan masing-masing satu kali.",
    ),
    "configure.taken": Text(
        en="{value} of {host} is another server's already",
        id="{value} milik {host} sudah dipakai server lain",
        next_en="Give every server an address of its own.",
        next_id="Beri tiap server alamatnya sendiri.",
    ),
    "configure.rings-differ": Text(
        en="the servers of {cluster} do not have the same number of links for corosync",
        id="jumlah jalur corosync pada server-server {cluster} tidak sama",
        next_en="Give each as many addresses in node_rings, in the order of the links.",
        next_id="Beri masing-masing alamat yang sama banyak di node_rings, menurut urutan jalur.",
    ),
    "configure.qdevice": Text(
        en="{cluster} has {count} servers, an even number, and no QDevice: cut in halves, neither "
        "may go on",
        id="{cluster} punya {count} server, jumlah genap, tanpa QDevice: bila terbelah dua, "
        "keduanya berhenti",
        next_en="Set cluster_qdevice in its group_vars to the address of a machine outside it.",
        next_id="Isi cluster_qdevice di group_vars-nya dengan alamat mesin di luar klaster itu.",
    ),
    "configure.ring": Text(
        en="{ring} is no address that {host} has on a link or on its bridge",
        id="{ring} bukan alamat {host} pada jalur mana pun atau bridge-nya",
        next_en="Take node_rings from the addresses of node_links.",
        next_id="Ambil node_rings dari alamat-alamat di node_links.",
    ),
    "configure.gateway": Text(
        en="the gateway {gateway} is not in {network}, where {host} is",
        id="gateway {gateway} tidak berada di {network}, jaringan {host}",
        next_en="Correct site_gateway (per cluster in group_vars) or node_address.",
        next_id="Perbaiki site_gateway (per klaster di group_vars) atau node_address.",
    ),
    "configure.gateway-own": Text(
        en="the gateway is the address of {host} itself",
        id="gateway itu adalah alamat {host} sendiri",
        next_en="Set site_gateway to the router's address in that network.",
        next_id="Isi site_gateway dengan alamat router di jaringan itu.",
    ),
    "configure.card-twice": Text(
        en="the card {card} of {host} is below the bridge, or another link, already",
        id="kartu {card} milik {host} sudah dipakai bridge atau jalur lain",
        next_en="Give each link a card of its own, or a VLAN of one: eno3.30.",
        next_id="Beri tiap jalur kartu sendiri, atau sebuah VLAN: eno3.30.",
    ),
    "configure.zone": Text(
        en="site_zone is {zone}, but the site is in {site}",
        id="site_zone berisi {zone}, sedangkan situs berada di {site}",
        next_en="Say the same in both files.",
        next_id="Samakan keduanya.",
    ),
    "configure.endpoint": Text(
        en="{endpoint} is no server of cluster {cluster} in the inventory (group `{group}`)",
        id="{endpoint} bukan server klaster {cluster} di inventaris (grup `{group}`)",
        next_en="Correct the endpoint, or the host's name or ansible_host.",
        next_id="Perbaiki endpoint itu, atau nama maupun ansible_host server.",
    ),
    "configure.no-runner": Text(
        en="ansible-runner and ansible-core are not installed",
        id="ansible-runner dan ansible-core belum terpasang",
        next_en="Install them: pip install 'cloudpemda[nodes]'",
        next_id="Pasanglah: pip install 'cloudpemda[nodes]'",
    ),
    "configure.no-place": Text(
        en="nothing can be written in {place}, where a run keeps what it does: {cause}",
        id="{place}, tempat catatan sebuah pekerjaan, tidak dapat ditulisi: {cause}",
        next_en="No server was touched. Make room or correct the rights there, and run it again.",
        next_id="Tidak ada server yang disentuh. Sediakan ruang atau perbaiki izinnya, lalu "
        "ulangi.",
    ),
    "configure.busy": Text(
        en="another `nodes configure` of this site is changing servers",
        id="`nodes configure` lain dari situs ini sedang mengubah server",
        next_en="Wait for its end. A rehearsal (`--check`) is possible meanwhile.",
        next_id="Tunggu sampai selesai. Gladi (`--check`) tetap dapat dijalankan.",
    ),
    "configure.no-vault-password": Text(
        en="a vault keeps this file, and nothing says where its password is",
        id="berkas ini disegel vault, dan tempat sandinya belum disebutkan",
        next_en="export ANSIBLE_VAULT_PASSWORD_FILE=FILE (mode 0600, outside the site's "
        "repository), then run it again.",
        next_id="export ANSIBLE_VAULT_PASSWORD_FILE=BERKAS (mode 0600, di luar repositori situs), "
        "lalu ulangi.",
    ),
    "configure.no-vault-password-file": Text(
        en="ANSIBLE_VAULT_PASSWORD_FILE names {file}, and that is not there",
        id="ANSIBLE_VAULT_PASSWORD_FILE menyebut {file}, dan berkas itu tidak ada",
        next_en="Correct it, then run it again.",
        next_id="Perbaiki, lalu ulangi.",
    ),
    "configure.role-type": Text(
        en="`{name}` is not of the kind that its role takes ({wanted})",
        id="jenis isi `{name}` tidak sesuai dengan yang diterima perannya ({wanted})",
        next_en="Write a value of that kind; the role's README.md shows it.",
        next_id="Tulislah nilai yang sesuai; contohnya ada di README.md peran itu.",
    ),
    "configure.role-choice": Text(
        en="`{name}` is none of {wanted}",
        id="`{name}` bukan salah satu dari {wanted}",
        next_en="Choose one of them.",
        next_id="Pilih salah satunya.",
    ),
    "configure.role-part": Text(
        en="`{name}` is read by nobody (its role reads there: {known})",
        id="`{name}` tidak dibaca siapa pun (yang dibaca perannya di situ: {known})",
        next_en="Correct its name, or remove it.",
        next_id="Perbaiki namanya, atau hapus.",
    ),
    "configure.role-lacks": Text(
        en="`{name}` lacks `{part}`",
        id="`{name}` belum berisi `{part}`",
        next_en="Add it; the role's README.md says what it is.",
        next_id="Tambahkan; artinya ada di README.md peran itu.",
    ),
    "configure.no-program": Text(
        en="nothing says where {host} gets the program from",
        id="belum disebutkan dari mana {host} memperoleh program ini",
        next_en="Set cloudpemda_wheel to the file that `make wheel` leaves in dist/.",
        next_id="Isi cloudpemda_wheel dengan berkas yang dibuat `make wheel` di dist/.",
    ),
    "configure.no-file": Text(
        en="`{name}` names {file}, and there is no such file here",
        id="`{name}` menyebut {file}, tetapi berkas itu tidak ada di sini",
        next_en="Write the whole path of a file on the machine that runs this command.",
        next_id="Tulislah path lengkap sebuah berkas di mesin yang menjalankan perintah ini.",
    ),
    "configure.nowhere": Text(
        en="{name} is for servers of {groups}, and none of those would be played on",
        id="{name} diperuntukkan bagi server {groups}, dan tidak ada yang terpilih",
        next_en="Add the group to ansible/hosts.yaml (docs/nodes.md), or let --limit include it.",
        next_id="Tambahkan grup itu di ansible/hosts.yaml (docs/nodes.md), atau sertakan dalam "
        "--limit.",
    ),
    "configure.no-playbook": Text(
        en="there is no playbook {name} (there are: {known})",
        id="tidak ada playbook {name} (yang ada: {known})",
        next_en="Name one of them, or several.",
        next_id="Sebutkan salah satunya, atau beberapa.",
    ),
    "configure.no-host": Text(
        en="the inventory has no host and no group {name} (it has: {known})",
        id="inventaris tidak punya host atau grup {name} (yang ada: {known})",
        next_en="Name hosts or groups of ansible/hosts.yaml, comma between them.",
        next_id="Sebutkan host atau grup dari ansible/hosts.yaml, dipisah koma.",
    ),
    "configure.tag": Text(
        en="`{tag}` is no tag",
        id="`{tag}` bukan tag",
        next_en="Tags are words of letters, digits, - and _; each role's README.md lists its own.",
        next_id="Tag terdiri dari huruf, angka, - dan _; README.md tiap peran memuat daftarnya.",
    ),
    "configure.no-tag": Text(
        en="none of these playbooks has a task with the tag {tag} (there are: {known})",
        id="tidak ada tugas bertanda {tag} dalam playbook itu (yang ada: {known})",
        next_en="Name one of them; nothing was played.",
        next_id="Sebutkan salah satunya; tidak ada yang dijalankan.",
    ),
    "configure.unreachable": Text(
        en="{host} could not be reached over ssh at {address} ({group}, {playbook}): {said}",
        id="{host} tidak terjangkau lewat ssh di {address} ({group}, {playbook}): {said}",
        next_en="Try `ssh {account}@{address}` from here: address, key and way must be right. "
        "`ansible_user` in the inventory names another account than root.",
        next_id="Coba `ssh {account}@{address}` dari sini: alamat, kunci dan jalurnya harus benar. "
        "`ansible_user` di inventaris menyebut akun lain selain root.",
    ),
    "configure.host-key": Text(
        en="{host} at {address} shows another host key than the one that was seen first "
        "({group}, {playbook}): nothing was done there",
        id="{host} di {address} menunjukkan kunci host lain dari yang pertama terlihat "
        "({group}, {playbook}): tidak ada yang dikerjakan di sana",
        next_en="If it was installed anew: ssh-keygen -R {address}, and run it again. If not, "
        "find out who answers there.",
        next_id="Bila server itu baru dipasang ulang: ssh-keygen -R {address}, lalu ulangi. Bila "
        "tidak, cari tahu siapa yang menjawab di sana.",
    ),
    "configure.no-root": Text(
        en="{host}: {account} may not become root there by sudo without a password "
        "({group}, {playbook}): {said}",
        id="{host}: {account} tidak dapat menjadi root di sana lewat sudo tanpa kata sandi "
        "({group}, {playbook}): {said}",
        next_en="As root at {address}: `apt install sudo`, then `visudo -f "
        "/etc/sudoers.d/{account}` with the line `{account} ALL=(ALL) NOPASSWD: ALL`. Or leave "
        "`ansible_user` out of the inventory: then root itself comes in, by key.",
        next_id="Sebagai root di {address}: `apt install sudo`, lalu `visudo -f "
        "/etc/sudoers.d/{account}` dengan baris `{account} ALL=(ALL) NOPASSWD: ALL`. Atau hapus "
        "`ansible_user` dari inventaris: root sendiri yang masuk, dengan kunci.",
    ),
    "configure.sudo-silent": Text(
        en="{host} let {account} in at {address}, but sudo there did not answer in time "
        "({group}, {playbook}): {said}",
        id="{host} menerima {account} di {address}, tetapi sudo di sana tidak menjawab pada "
        "waktunya ({group}, {playbook}): {said}",
        next_en="Try `ssh {account}@{address} sudo true`: the server is overloaded, or sudo waits "
        "for a name or a directory service that does not answer. Then start again.",
        next_id="Coba `ssh {account}@{address} sudo true`: server itu kelebihan beban, atau sudo "
        "menunggu nama atau layanan direktori yang tidak menjawab. Lalu mulai lagi.",
    ),
    "configure.failed": Text(
        en="{host}: `{task}` failed ({group}, {playbook}): {message}",
        id="{host}: `{task}` gagal ({group}, {playbook}): {message}",
        next_en="Correct what it says and run the same command again; what is done stays done.",
        next_id="Perbaiki yang disebutkan lalu ulangi perintahnya; yang sudah selesai tetap.",
    ),
    "configure.stopped": Text(
        en="{playbook} was stopped on {group} before its end",
        id="{playbook} dihentikan pada {group} sebelum selesai",
        next_en="Run the same command again: it goes on from what it finds.",
        next_id="Ulangi perintah yang sama: ia melanjutkan dari keadaan yang ditemukan.",
    ),
    "configure.not-played": Text(
        en="{playbook} was not played to its end on {group}: {message}",
        id="{playbook} tidak dijalankan sampai selesai pada {group}: {message}",
        next_en="See to what is said there, and run the same command again.",
        next_id="Periksa pesan itu, lalu ulangi perintah yang sama.",
    ),
    "configure.left": Text(
        en="not begun any more: {playbooks}",
        id="tidak dimulai lagi: {playbooks}",
        next_en="Run the same command again once the cause above is gone.",
        next_id="Ulangi perintah yang sama setelah sebab di atas teratasi.",
    ),
    "configure.which": Text(
        en="name the playbooks to play (there are: {known})",
        id="sebutkan playbook yang dijalankan (yang ada: {known})",
        next_en="Begin with `--check`: it tells what would change and changes nothing.",
        next_id="Mulailah dengan `--check`: memberitahu yang akan berubah tanpa mengubah apa pun.",
    ),
    "configure.no-key": Text(
        en="site.yaml names no key for the inside of VMs",
        id="site.yaml tidak menyebut kunci untuk isi VM",
        next_en="Add `configure: {{key: secrets/site-key}}` to it, then `cloudpemda nodes key`.",
        next_id="Tambahkan `configure: {{key: secrets/site-key}}`, lalu `cloudpemda nodes key`.",
    ),
    "configure.key-exists": Text(
        en="{file} is there already, and a key is never replaced: VMs know no other",
        id="{file} sudah ada, dan kunci tidak pernah diganti: VM tidak mengenal yang lain",
        next_en="Use it. For another one name another file in site.yaml; VMs learn it by `apply`.",
        next_id="Pakailah. Untuk kunci lain sebut berkas lain di site.yaml; VM mengenalnya lewat "
        "`apply`.",
    ),
    "configure.key-unwritable": Text(
        en="the key could not be written to {file}: {cause}",
        id="kunci tidak dapat ditulis ke {file}: {cause}",
        next_en="Make room or correct the rights there, and run it again.",
        next_id="Sediakan ruang atau perbaiki izinnya, lalu ulangi.",
    ),
    "configure.key-unsound": Text(
        en="this file holds no public key",
        id="berkas ini tidak berisi kunci publik",
        next_en="Write it anew from the private half: ssh-keygen -y -f KEY > KEY.pub",
        next_id="Tulis ulang dari kunci privatnya: ssh-keygen -y -f KUNCI > KUNCI.pub",
    ),
    "configure.key-absent": Text(
        en="the site's key for the inside of VMs is not there",
        id="kunci situs untuk isi VM belum ada",
        next_en="`cloudpemda nodes key` makes it; where VMs know it already, bring it back from "
        "your copy.",
        next_id="`cloudpemda nodes key` membuatnya; bila VM sudah mengenalnya, kembalikan dari "
        "salinan Anda.",
    ),
    "configure.key-unreadable": Text(
        en="this file holds no private key of ssh, or one with a passphrase",
        id="berkas ini tidak berisi kunci privat ssh, atau kuncinya bersandi",
        next_en="Bring it back from your copy of it: VMs know no other.",
        next_id="Kembalikan dari salinan Anda: VM tidak mengenal yang lain.",
    ),
    "configure.key-differs": Text(
        en="this is not the public half of {key}: VMs that get it would not let us in",
        id="ini bukan pasangan publik dari {key}: VM yang memperolehnya tidak akan menerima kita",
        next_en="Write it anew from the private half: ssh-keygen -y -f {key} > {key}.pub",
        next_id="Tulis ulang dari kunci privatnya: ssh-keygen -y -f {key} > {key}.pub",
    ),
    "configure.no-roles": Text(
        en="nothing is to be set up inside {vm}: no VM there is active and has `roles`",
        id="tidak ada yang disiapkan di dalam {vm}: tidak ada VM aktif dengan `roles` di sana",
        next_en="`cloudpemda request show` lists what was asked for.",
        next_id="`cloudpemda request show` memuat apa yang diminta.",
    ),
    "configure.vm-unknown": Text(
        en="cluster {cluster} does not show {vm} (VM {vmid}): nobody connected to it",
        id="klaster {cluster} tidak menampilkan {vm} (VM {vmid}): tidak ada yang menyambung",
        next_en="See `cloudpemda status`; run it again when its node can be read.",
        next_id="Lihat `cloudpemda status`; ulangi bila node-nya terbaca.",
    ),
    "configure.vm-not-running": Text(
        en="{vm} does not run",
        id="{vm} tidak berjalan",
        next_en="Start it: cloudpemda vm start {vm}",
        next_id="Nyalakan: cloudpemda vm start {vm}",
    ),
    "configure.vm-address": Text(
        en="the configuration of {vm} (VM {vmid} on {cluster}) does not give it {address}: behind "
        "that address may be another",
        id="konfigurasi {vm} (VM {vmid} di {cluster}) tidak memberinya {address}: di alamat itu "
        "mungkin mesin lain",
        next_en="`cloudpemda drift` shows what differs, `apply` puts it right.",
        next_id="`cloudpemda drift` menunjukkan bedanya, `apply` memperbaikinya.",
    ),
    "configure.vm-in-lab": Text(
        en="{vm} is a VM of the lab: it has nothing inside that could be reached",
        id="{vm} adalah VM lab: tidak ada isinya yang dapat dijangkau",
        next_en="On real clusters the same command sets it up; nobody connected to its address.",
        next_id="Pada klaster nyata perintah yang sama menyiapkannya; alamatnya tidak disambung.",
    ),
    "configure.vm-unreachable": Text(
        en="{vm} could not be reached over ssh at {address}: {said}",
        id="{vm} tidak terjangkau lewat ssh di {address}: {said}",
        next_en="Wait if it was just started. The way from here to {address} must be open; a VM "
        "that was built before its request had roles lets us in after `cloudpemda vm restart`.",
        next_id="Tunggu bila baru dinyalakan. Jalan dari sini ke {address} harus terbuka; VM yang "
        "dibangun sebelum permohonannya punya peran baru menerima kita setelah "
        "`cloudpemda vm restart {vm}`.",
    ),
    "configure.vm-host-key": Text(
        en="{vm} at {address} shows another host key than the one that was seen first: nothing was "
        "done there",
        id="{vm} di {address} menunjukkan kunci host lain dari yang pertama terlihat: tidak ada "
        "yang dikerjakan di sana",
        next_en="Find out why. If its OPD has made new host keys: `cloudpemda vm configure {vm} "
        "--forget-host-key`.",
        next_id="Cari sebabnya. Bila OPD-nya membuat kunci host baru: `cloudpemda vm configure "
        "{vm} --forget-host-key`.",
    ),
    "configure.vm-failed": Text(
        en="{vm}: `{task}` of {role} failed: {message}",
        id="{vm}: `{task}` dari {role} gagal: {message}",
        next_en="Correct what it says and run the same command again; what is done stays done.",
        next_id="Perbaiki yang disebutkan lalu ulangi perintahnya; yang sudah selesai tetap.",
    ),
    "configure.vm-stopped": Text(
        en="{role} was stopped before its end",
        id="{role} dihentikan sebelum selesai",
        next_en="Run the same command again: it goes on from what it finds.",
        next_id="Ulangi perintah yang sama: ia melanjutkan dari keadaan yang ditemukan.",
    ),
    "configure.vm-not-played": Text(
        en="{role} could not be played to its end: {message}",
        id="{role} tidak dapat dijalankan sampai selesai: {message}",
        next_en="See to what Ansible says, and run the same command again.",
        next_id="Periksa pesan Ansible itu, lalu ulangi perintah yang sama.",
    ),
    "survey.roles-awaiting": Text(
        en="{vm}: not set up yet, or not as asked for now: {roles}",
        id="{vm}: belum disiapkan, atau belum sesuai permintaan terkini: {roles}",
        next_en="Set it up: cloudpemda vm configure {vm}",
        next_id="Siapkan: cloudpemda vm configure {vm}",
    ),
    "survey.roles-failed": Text(
        en="{vm}: setting up failed: {roles}",
        id="{vm}: penyiapan gagal: {roles}",
        next_en="`cloudpemda vm configure {vm}` goes on, and says what hinders it.",
        next_id="`cloudpemda vm configure {vm}` melanjutkan, dan menyebut apa yang menghalangi.",
    ),
    "survey.roles-unreachable": Text(
        en="{vm}: not set up, as it could not be reached: {roles}",
        id="{vm}: belum disiapkan karena tidak terjangkau: {roles}",
        next_en="`cloudpemda vm configure {vm}` tries again, and says what ssh answers.",
        next_id="`cloudpemda vm configure {vm}` mencoba lagi, dan menyebut jawaban ssh.",
    ),
    "show.site-key": Text(
        en="{file}: the site's key, for this machine alone. Keep a copy where no one else looks.",
        id="{file}: kunci situs, hanya untuk mesin ini. Simpan salinannya di tempat aman.",
    ),
    "show.roles": Text(
        en="{vm}: set up inside: {roles}", id="{vm}: disiapkan di dalamnya: {roles}"
    ),
    "show.role-done": Text(en="{role}: {at} by {person}", id="{role}: {at} oleh {person}"),
    "show.role-awaiting": Text(
        en="{role}: awaits `vm configure`", id="{role}: menunggu `vm configure`"
    ),
    "show.role-failed": Text(
        en="{role}: failed {at} ({person})", id="{role}: gagal {at} ({person})"
    ),
    "show.role-unreachable": Text(
        en="{role}: not reached {at} ({person})", id="{role}: tidak terjangkau {at} ({person})"
    ),
    "show.roles-nowhere": Text(
        en="Nothing is to be set up: no active VM has `roles`.",
        id="Tidak ada yang perlu disiapkan: tidak ada VM aktif dengan `roles`.",
    ),
    "show.roles-await": Text(
        en="Still to be set up inside: {vms}. Next: cloudpemda vm configure {requests}",
        id="Masih perlu disiapkan di dalamnya: {vms}. Lanjut: cloudpemda vm configure {requests}",
    ),
    "show.host-keys-seen": Text(
        en="Host keys seen for the first time and taken down: {vms}",
        id="Kunci host yang pertama kali terlihat dan dicatat: {vms}",
    ),
    "show.inventory-sound": Text(
        en="{count} servers; nothing is missing or wrong in ansible/",
        id="{count} server; tidak ada yang kurang atau salah di ansible/",
    ),
    "show.unreachable": Text(en="unreachable", id="tak terjangkau"),
    "show.later": Text(
        en="no fault yet, but to be there before later steps:",
        id="belum menjadi kesalahan, tetapi harus ada sebelum langkah-langkah berikutnya:",
    ),
    "show.rehearsed": Text(
        en="a rehearsal: nothing was changed",
        id="gladi: tidak ada yang diubah",
    ),
    "show.nothing-changed": Text(
        en="everything is as it shall be: nothing was changed",
        id="semua sudah sebagaimana mestinya: tidak ada yang diubah",
    ),
}
