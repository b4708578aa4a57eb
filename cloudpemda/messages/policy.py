"""Texts of policy: what an OPD may not ask for, and who may not decide."""

from cloudpemda.messages import Text

TEXTS: dict[str, Text] = {
    "policy.opd-unknown": Text(
        en="OPD {opd} is not known here",
        id="OPD {opd} tidak dikenal di sini",
        next_en="Check `metadata.opd`; Diskominfo registers an OPD in the site's opd/ folder.",
        next_id="Periksa `metadata.opd`; Diskominfo mendaftarkan OPD di folder opd/ pada situs.",
    ),
    "policy.class-unknown": Text(
        en="service class {service_class} is not in the catalogue",
        id="kelas layanan {service_class} tidak ada di katalog",
        next_en="Choose one of: {known}.",
        next_id="Pilih salah satu: {known}.",
    ),
    "policy.class-not-allowed": Text(
        en="{opd} may not ask for service class {service_class}",
        id="{opd} tidak boleh meminta kelas layanan {service_class}",
        next_en="Choose one of: {allowed}; or ask Diskominfo by letter to allow it.",
        next_id="Pilih salah satu: {allowed}; atau ajukan surat ke Diskominfo agar diizinkan.",
    ),
    "policy.no-roles": Text(
        en="Diskominfo does not set up the inside of VMs here: site.yaml names no key for it",
        id="Diskominfo di sini tidak menyiapkan isi VM: site.yaml tidak menyebut kunci untuk itu",
        next_en="Remove `roles`; or an operator sets `configure` in site.yaml and makes the key by "
        "`cloudpemda nodes key`.",
        next_id="Hapus `roles`; atau operator mengisi `configure` di site.yaml dan membuat "
        "kuncinya dengan `cloudpemda nodes key`.",
    ),
    "policy.until-past": Text(
        en="the end date {until} is not after today ({today})",
        id="tanggal berakhir {until} tidak setelah hari ini ({today})",
        next_en="Write a date in the future in `spec.until`.",
        next_id="Tulis tanggal yang akan datang di `spec.until`.",
    ),
    "policy.until-far": Text(
        en="the end date {until} is more than five years ahead",
        id="tanggal berakhir {until} lebih dari lima tahun ke depan",
        next_en="Write {longest} at the latest; a lease can be extended later.",
        next_id="Tulis paling lambat {longest}; masa pakai dapat diperpanjang kemudian.",
    ),
    "policy.image-unknown": Text(
        en="image {image} is not in the catalogue",
        id="image {image} tidak ada di katalog",
        next_en="Choose one of: {known}.",
        next_id="Pilih salah satu: {known}.",
    ),
    "policy.storage-class": Text(
        en="no production cluster has storage of class {storage_class}",
        id="tidak ada klaster produksi dengan penyimpanan kelas {storage_class}",
        next_en="Choose one of: {known}.",
        next_id="Pilih salah satu: {known}.",
    ),
    "policy.network-unknown": Text(
        en="network {network} is not known here",
        id="jaringan {network} tidak dikenal di sini",
        next_en="Choose one of: {allowed}.",
        next_id="Pilih salah satu: {allowed}.",
    ),
    "policy.network-not-allowed": Text(
        en="{opd} may not use network {network}, which belongs to {owner}",
        id="{opd} tidak boleh memakai jaringan {network}, yang dimiliki {owner}",
        next_en="Choose one of: {allowed}; or ask Diskominfo to allow the network.",
        next_id="Pilih salah satu: {allowed}; atau minta Diskominfo mengizinkan jaringan itu.",
    ),
    "policy.no-public": Text(
        en="this site has no public addresses to give (asked for on network {network})",
        id="situs ini tidak memiliki alamat IP publik (diminta pada jaringan {network})",
        next_en="Leave `publicIp` out, or ask Diskominfo how to publish the service.",
        next_id="Hapus `publicIp`, atau tanyakan ke Diskominfo cara menerbitkan layanannya.",
    ),
    "policy.no-cluster": Text(
        en="no single production cluster has images {images} and storage {storage_classes}",
        id="tidak ada satu klaster produksi dengan image {images} dan penyimpanan "
        "{storage_classes}",
        next_en="Choose images and storage classes that one cluster offers, or split the request.",
        next_id="Pilih image dan kelas penyimpanan dari satu klaster, atau pecah permohonannya.",
    ),
    "policy.vmids": Text(
        en="{opd} asks for {wanted} VMs, and its VMID range {vmids} has room for {left}",
        id="{opd} meminta {wanted} VM, sedangkan rentang VMID {vmids} hanya cukup untuk {left}",
        next_en="Ask for fewer, retire VMs no longer needed, or have Diskominfo widen the range.",
        next_id="Kurangi, hentikan VM yang tak terpakai, atau minta rentangnya diperlebar.",
    ),
    "policy.own-request": Text(
        en="{login} shares login, NIP or name with whoever asked for {key} or handed it in, and so "
        "may not decide on it",
        id="{login} memiliki login, NIP, atau nama yang sama dengan yang meminta atau mengajukan "
        "{key}, sehingga tidak boleh memutusnya",
        next_en="May decide: {who}.",
        next_id="Yang boleh memutus: {who}.",
    ),
    "policy.own-delegation": Text(
        en="{login} stands in for somebody who asked for {key} or handed it in, and so may not "
        "decide on it",
        id="{login} mewakili orang yang meminta atau mengajukan {key}, sehingga tidak boleh "
        "memutusnya",
        next_en="May decide: {who}.",
        next_id="Yang boleh memutus: {who}.",
    ),
    "policy.no-role": Text(
        en="{login} may not decide on {key} (decided by: {approval})",
        id="{login} tidak berwenang memutus {key} (diputus oleh: {approval})",
        next_en="May decide: {who}.",
        next_id="Yang boleh memutus: {who}.",
    ),
    "policy.not-awaited": Text(
        en="{key} is not before {login} yet: first decides {approval}",
        id="{key} belum sampai pada {login}: yang memutus lebih dulu {approval}",
        next_en="Awaited now: {who}.",
        next_id="Yang ditunggu sekarang: {who}.",
    ),
    "policy.decided-already": Text(
        en="{login}, or whoever they stand in for, has decided on {key} already",
        id="{login}, atau yang diwakilinya, sudah memutus {key}",
        next_en="Nobody counts twice. Awaited now: {who}.",
        next_id="Tidak ada yang dihitung dua kali. Yang ditunggu sekarang: {who}.",
    ),
    "policy.nobody-left": Text(
        en="nobody in people.yaml may decide on {key} now (awaited: {approval})",
        id="tidak ada orang di people.yaml yang boleh memutus {key} sekarang "
        "(ditunggu: {approval})",
        next_en="Grant somebody the role, or have it delegated by letter, in people.yaml.",
        next_id="Beri seseorang peran itu, atau limpahkan dengan surat, di people.yaml.",
    ),
    "policy.stage-unfilled": Text(
        en="too few people may decide in stage {stage} ({approval}, {of} needed): it will wait "
        "there until it expires",
        id="terlalu sedikit orang yang boleh memutus di tahap {stage} ({approval}, perlu {of}): "
        "permohonan akan menunggu di sana sampai kedaluwarsa",
        next_en="Diskominfo gives somebody the role, or has it delegated by letter, in "
        "people.yaml.",
        next_id="Diskominfo memberi seseorang peran itu, atau melimpahkannya dengan surat, di "
        "people.yaml.",
    ),
    "policy.image-adopted": Text(
        en="{vm}: the image {image} is of VMs that were adopted, and {vm} was not",
        id="{vm}: citra {image} hanya untuk VM yang diadopsi, sedangkan {vm} tidak",
        next_en="Choose an image of the catalogue; a VM that exists becomes one of yours by "
        "`cloudpemda adopt`.",
        next_id="Pilih citra dari katalog; VM yang sudah ada dijadikan milik OPD dengan "
        "`cloudpemda adopt`.",
    ),
}
