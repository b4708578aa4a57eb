"""Texts of the simulated clusters themselves."""

from cloudpemda.messages import Text

TEXTS = {
    "lab.already-running": Text(
        en="A lab already runs in {directory}.",
        id="Lab sudah berjalan di {directory}.",
        next_en="Use it, or stop it first: cloudpemda lab stop",
        next_id="Pakai lab itu, atau hentikan dahulu: cloudpemda lab stop",
    ),
    "lab.bad-request": Text(
        en="The lab's control port did not understand the request: {reason}",
        id="Port kendali lab tidak memahami permintaan: {reason}",
        next_en="Compare the call with the control port's list in docs/lab.md.",
        next_id="Bandingkan panggilan itu dengan daftar port kendali di docs/lab.md.",
    ),
    "lab.cannot-listen": Text(
        en="The lab cannot listen on {where}: {error}",
        id="Lab tidak dapat mendengarkan di {where}: {error}",
        next_en="Give it another address: --listen HOST:PORT",
        next_id="Beri alamat lain: --listen HOST:PORT",
    ),
    "lab.directory-unusable": Text(
        en="The lab cannot keep its state in {directory}: {error}",
        id="Lab tidak dapat menyimpan keadaannya di {directory}: {error}",
        next_en="Name a directory that you may write to.",
        next_id="Sebutkan direktori yang boleh Anda tulisi.",
    ),
    "lab.fault-invalid": Text(
        en="The fault script is wrong: {error}",
        id="Skrip gangguan salah: {error}",
        next_en="See docs/lab.md for what a fault may say.",
        next_id="Lihat docs/lab.md untuk isi skrip gangguan.",
    ),
    "lab.instant": Text(
        en="{value} is not an instant such as 2026-11-20T01:00:00Z.",
        id="{value} bukan waktu seperti 2026-11-20T01:00:00Z.",
        next_en="Write date, time and zone: 2026-11-20T01:00:00Z.",
        next_id="Tulis tanggal, jam, dan zona: 2026-11-20T01:00:00Z.",
    ),
    "lab.layout-invalid": Text(
        en="The lab's layout is wrong at {where}: {error}",
        id="Tata letak lab salah pada {where}: {error}",
        next_en="Compare it with the layout in docs/lab.md.",
        next_id="Bandingkan dengan tata letak di docs/lab.md.",
    ),
    "lab.no-such-call": Text(
        en="The lab's control port knows no {call}.",
        id="Port kendali lab tidak mengenal {call}.",
        next_en="See docs/lab.md for what it answers.",
        next_id="Lihat docs/lab.md untuk panggilan yang tersedia.",
    ),
    "lab.no-such-cluster": Text(
        en="The lab has no cluster {cluster}.",
        id="Lab tidak memiliki klaster {cluster}.",
        next_en="`cloudpemda lab status` lists its clusters.",
        next_id="`cloudpemda lab status` menampilkan daftar klaster.",
    ),
    "lab.no-such-fault": Text(
        en="The lab knows no fault {do}.",
        id="Lab tidak mengenal gangguan {do}.",
        next_en="It knows: {known}.",
        next_id="Yang dikenal: {known}.",
    ),
    "lab.no-such-node": Text(
        en="The lab has no node {node} in this cluster.",
        id="Lab tidak memiliki node {node} di klaster ini.",
        next_en="`cloudpemda lab status` lists its nodes.",
        next_id="`cloudpemda lab status` menampilkan daftar node.",
    ),
    "lab.no-such-version": Text(
        en="The lab does not play PVE {version}; it knows 8.4 and 9.2.",
        id="Lab tidak menyimulasikan PVE {version}; yang tersedia 8.4 dan 9.2.",
        next_en="Choose one of the two.",
        next_id="Pilih salah satu dari keduanya.",
    ),
    "lab.no-such-vm": Text(
        en="The lab has no VM {vmid} in this cluster.",
        id="Lab tidak memiliki VM {vmid} di klaster ini.",
        next_en="`cloudpemda vm list` shows the VMIDs there are.",
        next_id="`cloudpemda vm list` menampilkan VMID yang ada.",
    ),
    "lab.no-such-backup": Text(
        en="This backup server has no backup of {backup} in this datastore.",
        id="Server cadangan ini tidak memiliki cadangan {backup} di datastore ini.",
        next_en="Name a group as `vm/VMID` that was backed up before this hour.",
        next_id="Sebutkan kelompok seperti `vm/VMID` yang sudah dicadangkan sebelum jam ini.",
    ),
    "lab.rate": Text(
        en="{value} is no rate of a clock.",
        id="{value} bukan laju jam.",
        next_en="Write lab seconds per real second, more than 0, or auto.",
        next_id="Tulis detik lab per detik nyata, lebih dari 0, atau auto.",
    ),
    "lab.state-unreadable": Text(
        en="The lab cannot read the state it kept in {file}: {error}",
        id="Lab tidak dapat membaca keadaan tersimpan di {file}: {error}",
        next_en="Begin afresh: cloudpemda lab reset",
        next_id="Mulai dari awal: cloudpemda lab reset",
    ),
    "lab.too-far": Text(
        en="The lab's clock moves by {days} days at most at once.",
        id="Jam lab maju paling banyak {days} hari sekaligus.",
        next_en="Advance it several times.",
        next_id="Majukan beberapa kali.",
    ),
    "lab.vm-exists": Text(
        en="The lab already has a VM {vmid} in this cluster.",
        id="Lab sudah memiliki VM {vmid} di klaster ini.",
        next_en="Choose a VMID that is free: `cloudpemda vm list` shows those taken by requests.",
        next_id="Pilih VMID yang bebas: `cloudpemda vm list` menampilkan yang dipakai permintaan.",
    ),
}
