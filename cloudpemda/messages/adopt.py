"""Texts of adoption."""

from cloudpemda.messages import Text

TEXTS = {
    "adopt.nothing-chosen": Text(
        en="no VM was chosen",
        id="tidak ada VM yang dipilih",
        next_en="Say which: --pool, --tag, --node, --vmid or --from.",
        next_id="Sebutkan yang mana: --pool, --tag, --node, --vmid, atau --from.",
    ),
    "adopt.vmids": Text(
        en="{text} is no list of VMIDs",
        id="{text} bukan daftar VMID",
        next_en="Write numbers with commas: --vmid 101,102.",
        next_id="Tulis angka dengan koma: --vmid 101,102.",
    ),
    "adopt.day": Text(
        en="{text} is no day",
        id="{text} bukan tanggal",
        next_en="Write year, month and day: 2026-12-31.",
        next_id="Tulis tahun, bulan, dan tanggal: 2026-12-31.",
    ),
    "adopt.class": Text(
        en="{service_class} is no service class that the OPD could have (known: {known})",
        id="{service_class} bukan kelas layanan yang dapat dipakai OPD (dikenal: {known})",
        next_en="Choose another with --class, or allow one in the OPD's file.",
        next_id="Pilih yang lain dengan --class, atau izinkan satu di berkas OPD.",
    ),
    "adopt.requester": Text(
        en="the responsible person of {opd} is not known: {missing}",
        id="penanggung jawab {opd} tidak diketahui: {missing}",
        next_en="Give these options, or write a contact into the OPD's file and the NIP into "
        "people.yaml.",
        next_id="Berikan opsi tersebut, atau tulis kontak di berkas OPD dan NIP di people.yaml.",
    ),
    "adopt.not-yours": Text(
        en="{login} may not decide that these VMs are adopted; that is for: {who}",
        id="{login} tidak berwenang memutuskan adopsi VM ini; yang berwenang: {who}",
        next_en="Let one of them run the same command; it is not for the person who stands in the "
        "documents as the requester.",
        next_id="Mintalah salah satu dari mereka menjalankan perintah yang sama; bukan orang yang "
        "tercantum sebagai pemohon dalam dokumen.",
    ),
    "adopt.not-written": Text(
        en="{file} cannot be written, or has another text already",
        id="{file} tidak dapat ditulis, atau sudah berisi teks lain",
        next_en="Choose another folder; `request show` has the documents, too.",
        next_id="Pilih folder lain; dokumen juga ada di `request show`.",
    ),
    "adopt.no-such-vm": Text(
        en="VM {vmid} is not on {cluster}",
        id="VM {vmid} tidak ada di {cluster}",
        next_en="Look at PVE's list; perhaps it is on another cluster.",
        next_id="Periksa daftar di PVE; mungkin ada di klaster lain.",
    ),
    "adopt.known": Text(
        en="VM {vmid} ({name}) is {key} already",
        id="VM {vmid} ({name}) sudah menjadi {key}",
        next_en="Nothing is to be done.",
        next_id="Tidak ada yang perlu dilakukan.",
    ),
    "adopt.copy": Text(
        en="VM {vmid} ({name}) carries the stamp of {key}: it is a copy of it",
        id="VM {vmid} ({name}) membawa tanda {key}: ini salinannya",
        next_en="Decide which of the two is meant; take the stamp out of the other's description.",
        next_id="Tentukan yang mana yang dimaksud; hapus tanda dari deskripsi yang lain.",
    ),
    "adopt.container": Text(
        en="{vmid} ({name}) is a container; cloudpemda looks after VMs",
        id="{vmid} ({name}) adalah kontainer; cloudpemda mengurus VM",
        next_en="Move what it does into a VM, or leave it to its owner.",
        next_id="Pindahkan isinya ke VM, atau biarkan pada pemiliknya.",
    ),
    "adopt.template": Text(
        en="{vmid} ({name}) is a template",
        id="{vmid} ({name}) adalah templat",
        next_en="Name it in catalogue.yaml if requests shall use it.",
        next_id="Cantumkan di catalogue.yaml jika akan dipakai permohonan.",
    ),
    "adopt.unread": Text(
        en="VM {vmid} ({name}) on {node} cannot be read",
        id="VM {vmid} ({name}) di {node} tidak dapat dibaca",
        next_en="Bring the node back, then run the same command.",
        next_id="Pulihkan node itu, lalu jalankan perintah yang sama.",
    ),
    "adopt.being-made": Text(
        en="VM {vmid} ({name}) is still being made",
        id="VM {vmid} ({name}) masih dibuat",
        next_en="Wait until it is there, then run the same command.",
        next_id="Tunggu sampai selesai, lalu jalankan perintah yang sama.",
    ),
    "adopt.no-disk": Text(
        en="VM {vmid} ({name}) has no disk of its own",
        id="VM {vmid} ({name}) tidak punya diska sendiri",
        next_en="It cannot be protected: leave it, or give it a disk.",
        next_id="VM ini tidak dapat dilindungi: biarkan, atau beri diska.",
    ),
    "adopt.storage": Text(
        en="VM {vmid} ({name}) has a disk on {storage}, which is no storage class of the cluster",
        id="VM {vmid} ({name}) punya diska di {storage}, yang bukan kelas penyimpanan klaster",
        next_en="Move the disk in PVE, or name the storage under `storages:` in site.yaml.",
        next_id="Pindahkan diska di PVE, atau cantumkan di `storages:` pada site.yaml.",
    ),
    "adopt.no-network": Text(
        en="VM {vmid} ({name}) has no network card",
        id="VM {vmid} ({name}) tidak punya kartu jaringan",
        next_en="Give it a card in one of the OPD's networks.",
        next_id="Beri kartu di salah satu jaringan OPD.",
    ),
    "adopt.nic": Text(
        en="VM {vmid} ({name}): {slot} is on {where}, which is no network that the OPD may use",
        id="VM {vmid} ({name}): {slot} ada di {where}, bukan jaringan yang boleh dipakai OPD",
        next_en="Name the network in site.yaml and allow it in the OPD's file, or move the card.",
        next_id="Cantumkan jaringan di site.yaml dan izinkan di berkas OPD, atau pindahkan kartu.",
    ),
    "adopt.nic-twice": Text(
        en="VM {vmid} ({name}): {slot} and {other} are both in {network}",
        id="VM {vmid} ({name}): {slot} dan {other} sama-sama di {network}",
        next_en="A request names a network once: take one card out.",
        next_id="Permohonan menyebut satu jaringan sekali saja: lepaskan satu kartu.",
    ),
    "adopt.address-network": Text(
        en="VM {vmid} ({name}): the list says {address} in {network}, where it has no card",
        id="VM {vmid} ({name}): daftar menyebut {address} di {network}, tempat ia tidak punya "
        "kartu",
        next_en="Correct the list.",
        next_id="Perbaiki daftarnya.",
    ),
    "adopt.address": Text(
        en="VM {vmid} ({name}): {address} cannot be a host's in {network} ({cidr})",
        id="VM {vmid} ({name}): {address} tidak mungkin milik host di {network} ({cidr})",
        next_en="Say its address with --from, or correct its cloud-init in PVE.",
        next_id="Sebutkan alamatnya dengan --from, atau perbaiki cloud-init di PVE.",
    ),
    "adopt.address-taken": Text(
        en="VM {vmid} ({name}): {address} belongs to another VM already",
        id="VM {vmid} ({name}): {address} sudah milik VM lain",
        next_en="`cloudpemda ip list` shows whose; one of the two must take another.",
        next_id="`cloudpemda ip list` menunjukkan pemiliknya; salah satu harus memakai yang lain.",
    ),
    "adopt.mac-taken": Text(
        en="VM {vmid} ({name}): {slot} has the MAC address {mac} of {other}",
        id="VM {vmid} ({name}): {slot} memakai alamat MAC {mac} milik {other}",
        next_en="One of the two is a copy: give its card another MAC address in PVE.",
        next_id="Salah satunya salinan: beri kartunya alamat MAC lain di PVE.",
    ),
    "adopt.description": Text(
        en="VM {vmid} ({name}): its description ({length} characters) leaves no room for our stamp",
        id="VM {vmid} ({name}): deskripsinya ({length} karakter) tidak menyisakan tempat untuk "
        "tanda kami",
        next_en="Shorten it to 7,800 characters.",
        next_id="Ringkas menjadi paling banyak 7.800 karakter.",
    ),
    "adopt.replicas": Text(
        en="VM {vmid} ({name}) cannot be copied to as many nodes as its class demands",
        id="VM {vmid} ({name}) tidak dapat disalin ke node sebanyak yang dituntut kelasnya",
        next_en="Choose a class without replication, or move its disks to ZFS that other nodes "
        "have as well.",
        next_id="Pilih kelas tanpa replikasi, atau pindahkan diska ke ZFS yang juga ada di node "
        "lain.",
    ),
    "ledger.name-taken": Text(
        en="{key} is a request already",
        id="{key} sudah menjadi permohonan",
        next_en="Choose another --name; `cloudpemda request list` shows what there is.",
        next_id="Pilih --name lain; `cloudpemda request list` menunjukkan yang ada.",
    ),
    "ledger.vmid-known": Text(
        en="VM {vmid} on {cluster} belongs to an instance already",
        id="VM {vmid} di {cluster} sudah milik sebuah instans",
        next_en="Somebody was faster: look with `cloudpemda vm list`, then run the command again.",
        next_id="Ada yang lebih cepat: lihat dengan `cloudpemda vm list`, lalu ulangi perintah.",
    ),
    "ledger.uid-known": Text(
        en="VM {vmid} on {cluster} carries {uid}, which the ledger has given to another",
        id="VM {vmid} di {cluster} membawa {uid}, yang sudah diberikan buku besar kepada yang lain",
        next_en="It is a copy: take the stamp out of its description first.",
        next_id="Ini salinan: hapus dahulu tanda dari deskripsinya.",
    ),
    "ledger.address-given": Text(
        en="{address} of {network} belongs to another VM already",
        id="{address} dari {network} sudah milik VM lain",
        next_en="`cloudpemda ip list` shows whose; correct one of the two, then adopt again.",
        next_id="`cloudpemda ip list` menunjukkan pemiliknya; perbaiki salah satu, lalu adopsi "
        "lagi.",
    ),
    "ledger.mac-given": Text(
        en="VM {vmid} on {cluster} has the MAC address {mac} of another VM",
        id="VM {vmid} di {cluster} memakai alamat MAC {mac} milik VM lain",
        next_en="One of the two is a copy: give its card another MAC address in PVE, then adopt.",
        next_id="Salah satunya salinan: beri kartunya alamat MAC lain di PVE, lalu adopsi.",
    ),
    "show.adopt-none": Text(en="no VM to adopt", id="tidak ada VM untuk diadopsi"),
    "show.adopt-more": Text(en="… and {more} more", id="… dan {more} lagi"),
    "show.adopt-charge": Text(
        en="{opd} is charged {dimension}: {amount}",
        id="{opd} dibebani {dimension}: {amount}",
    ),
    "show.adopt-overage": Text(
        en="above the limit, which blocks growth there: {said}",
        id="di atas batas, sehingga pertumbuhan di sana tertahan: {said}",
    ),
    "show.adopt-left": Text(en="left: {vms} for {reason}", id="tertinggal: {vms} karena {reason}"),
    "show.adopt-ask": Text(
        en="Adopt {vms} VMs into {opd}? Only their description and tags are changed.",
        id="Adopsi {vms} VM ke {opd}? Hanya deskripsi dan tag yang diubah.",
    ),
    "show.adopt-preview": Text(
        en="{vms} VMs would become {opd}'s ({already} are already); nothing was changed: --yes "
        "does it",
        id="{vms} VM akan menjadi milik {opd} ({already} sudah); tidak ada yang diubah: --yes "
        "melaksanakannya",
    ),
    "show.adopted": Text(
        en="{vms} VMs are {opd}'s now ({already} were already); `cloudpemda plan` shows what their "
        "class would add",
        id="{vms} VM kini milik {opd} ({already} sudah sebelumnya); `cloudpemda plan` menunjukkan "
        "apa yang akan ditambahkan kelasnya",
    ),
}
