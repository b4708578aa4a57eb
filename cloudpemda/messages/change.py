"""What a revision changes, by `request.change.What`."""

from cloudpemda.messages import Text

TEXTS = {
    "change.vm-added": Text(en="VM added", id="VM ditambah"),
    "change.vm-removed": Text(en="VM removed", id="VM dihapus"),
    "change.member-added": Text(en="one more", id="bertambah satu"),
    "change.member-removed": Text(en="one less", id="berkurang satu"),
    "change.image": Text(en="image", id="citra"),
    "change.cpu": Text(en="vCPU", id="vCPU"),
    "change.memory": Text(en="memory", id="memori"),
    "change.disk-added": Text(en="disk added", id="disk ditambah"),
    "change.disk-removed": Text(en="disk removed", id="disk dihapus"),
    "change.disk-grown": Text(en="disk grown", id="disk diperbesar"),
    "change.disk-shrunk": Text(en="disk shrunk", id="disk diperkecil"),
    "change.disk-class": Text(en="storage class", id="kelas penyimpanan"),
    "change.disk-protection": Text(en="disk protected", id="disk dilindungi"),
    "change.network-added": Text(en="network added", id="jaringan ditambah"),
    "change.network-removed": Text(en="network removed", id="jaringan dihapus"),
    "change.public-address": Text(en="public address", id="alamat publik"),
    "change.keys": Text(en="SSH keys", id="kunci SSH"),
    "change.exposed": Text(en="reachable", id="dapat dijangkau"),
    "change.unexposed": Text(en="no longer reachable", id="tidak lagi dijangkau"),
    "change.firewall": Text(en="firewall", id="firewall"),
    "change.roles": Text(en="set up inside", id="disiapkan di dalamnya"),
    "change.apart": Text(en="kept apart", id="dipisahkan"),
    "change.class": Text(en="service class", id="kelas layanan"),
    "change.lease": Text(en="until", id="berlaku sampai"),
    "change.purpose": Text(en="purpose", id="tujuan"),
    "change.letter": Text(en="letter", id="surat"),
    "change.requester": Text(en="responsible person", id="penanggung jawab"),
}
