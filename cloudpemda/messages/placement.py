"""Why a VM finds no place, reason by reason."""

from cloudpemda.messages import Text

TEXTS = {
    "placement.no-fit": Text(
        en="no node of {cluster} fits {vm}",
        id="tidak ada node di {cluster} yang muat untuk {vm}",
        next_en="Ask for less, or free or add capacity; the lines below count why.",
        next_id="Kurangi permintaan, atau bebaskan/tambah kapasitas; lihat rinciannya di bawah.",
    ),
    "placement.no-quorum": Text(
        en="{count} without quorum ({nodes})",
        id="{count} tanpa kuorum ({nodes})",
        next_en="Bring the cluster back to quorum first.",
        next_id="Pulihkan kuorum klaster terlebih dahulu.",
    ),
    "placement.unknown": Text(
        en="{count} could not be read ({nodes})",
        id="{count} tidak dapat dibaca ({nodes})",
        next_en="Check the node and its network with `cloudpemda doctor`.",
        next_id="Periksa node dan jaringannya dengan `cloudpemda doctor`.",
    ),
    "placement.offline": Text(
        en="{count} offline ({nodes})",
        id="{count} mati atau terputus ({nodes})",
        next_en="Bring the node back.",
        next_id="Hidupkan kembali node tersebut.",
    ),
    "placement.maintenance": Text(
        en="{count} in maintenance ({nodes})",
        id="{count} dalam pemeliharaan ({nodes})",
        next_en="Wait until the maintenance is over.",
        next_id="Tunggu sampai pemeliharaan selesai.",
    ),
    "placement.other-site": Text(
        en="{count} stand at the recovery centre ({nodes})",
        id="{count} berada di pusat pemulihan ({nodes})",
    ),
    "placement.excluded": Text(
        en="{count} excluded by the operator ({nodes})",
        id="{count} dikecualikan oleh operator ({nodes})",
    ),
    "placement.storage": Text(
        en="{count} without a storage that is asked for ({nodes})",
        id="{count} tanpa storage yang diminta ({nodes})",
        next_en="Check `storages` of the cluster in site.yaml against the nodes.",
        next_id="Cocokkan `storages` klaster di site.yaml dengan node-nya.",
    ),
    "placement.image": Text(
        en="{count} without the image ({nodes})",
        id="{count} tanpa image yang diminta ({nodes})",
        next_en="Put the image, or a template of it, where these nodes see it.",
        next_id="Sediakan image atau templatnya di tempat yang terlihat oleh node tersebut.",
    ),
    "placement.apart": Text(
        en="{count} with another VM of the keep-apart group ({nodes})",
        id="{count} sudah berisi VM lain dari kelompok keepApart yang sama ({nodes})",
        next_en="A keep-apart group needs as many free nodes as it has members.",
        next_id="Kelompok keepApart memerlukan node sebanyak anggotanya.",
    ),
    "placement.cpu": Text(
        en="{count} short of CPU (needs {needed} cores; at most {left} left, on {best})",
        id="{count} kekurangan CPU (perlu {needed} core; sisa terbanyak {left}, di {best})",
    ),
    "placement.memory": Text(
        en="{count} short of memory (needs {needed}; at most {left} left, on {best})",
        id="{count} kekurangan memori (perlu {needed}; sisa terbanyak {left}, di {best})",
    ),
    "placement.disk": Text(
        en="{count} short of disk (needs {needed}; at most {left} left, on {best})",
        id="{count} kekurangan disk (perlu {needed}; sisa terbanyak {left}, di {best})",
    ),
    "placement.target": Text(
        en="{count} without enough nodes for its replicas ({nodes})",
        id="{count} tanpa cukup node tujuan replikasi ({nodes})",
        next_en="Replication needs zfs storage of the same name, with room, on another node.",
        next_id="Replikasi memerlukan storage zfs bernama sama, dengan sisa ruang, di node lain.",
    ),
    "placement.refuge": Text(
        en="{count} from where HA could bring it nowhere else ({nodes})",
        id="{count} yang darinya HA tidak dapat memindahkannya ke node lain ({nodes})",
        next_en="HA needs replication or shared storage: correct the service class or storage.",
        next_id="HA memerlukan replikasi atau storage bersama: perbaiki kelas layanannya.",
    ),
    "placement.n-plus-one-already": Text(
        en="{count} while N+1 does not hold even without it ({nodes})",
        id="{count} karena N+1 sudah tidak terpenuhi meski tanpa VM ini ({nodes})",
        next_en="Free or add capacity until the cluster can lose a node again.",
        next_id="Bebaskan atau tambah kapasitas sampai klaster tahan kehilangan satu node.",
    ),
    "placement.n-plus-one": Text(
        en="{count} would break N+1 ({nodes})",
        id="{count} akan melanggar N+1 ({nodes})",
        next_en="After the loss of one node its HA VMs would not fit elsewhere: add capacity.",
        next_id="Bila satu node hilang, VM HA-nya tidak muat di node lain: tambah kapasitas.",
    ),
    "placement.n-plus-one-undecided": Text(
        en="{count} where N+1 could not be shown to hold ({nodes})",
        id="{count} yang N+1-nya tidak dapat dibuktikan ({nodes})",
        next_en="The cluster is too full to tell in time; this counts as no.",
        next_id="Klaster terlalu penuh untuk dipastikan; ini dianggap tidak terpenuhi.",
    ),
    "placement.exposed-apart": Text(
        en="every node that it could use has another member of its keep-apart group",
        id="setiap node yang dapat dipakainya berisi anggota lain dari kelompok keepApart-nya",
    ),
    "placement.exposed-local-disk": Text(
        en="one of its disks is not replicated",
        id="salah satu disk-nya tidak direplikasi",
    ),
    "placement.exposed-no-node": Text(
        en="no other node is online that could start it",
        id="tidak ada node lain yang aktif dan dapat menjalankannya",
    ),
}
