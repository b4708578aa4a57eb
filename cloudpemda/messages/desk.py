"""Texts about who sits at the desk."""

from cloudpemda.messages import Text

TEXTS = {
    "desk.unknown-person": Text(
        en="{login} is not in people.yaml",
        id="{login} tidak ada di people.yaml",
        next_en="Add the login with a role to people.yaml; in the lab, act as somebody: --actor.",
        next_id="Tambahkan login itu dengan perannya ke people.yaml; di lab, pakai --actor.",
    ),
    "desk.role": Text(
        en="{login} has none of the roles {roles} for {opd}",
        id="{login} tidak punya peran {roles} untuk {opd}",
        next_en="Ask somebody who has the role, or have it added to people.yaml (for * it is a "
        "role without opd:, Diskominfo's).",
        next_id="Minta orang yang punya peran itu, atau tambahkan di people.yaml (untuk *: peran "
        "tanpa opd:, milik Diskominfo).",
    ),
    "desk.scope": Text(
        en="{login} has no role for {opd} and may not read about it",
        id="{login} tidak punya peran untuk {opd} dan tidak boleh melihat datanya",
        next_en="Ask Diskominfo, or somebody of that OPD.",
        next_id="Tanyakan ke Diskominfo, atau ke petugas OPD itu.",
    ),
    "desk.assumed": Text(
        en="acting as {login}, the lab's operator; name somebody else with --actor",
        id="bertindak sebagai {login}, operator lab; pilih orang lain dengan --actor",
    ),
    "look.opd": Text(
        en="there is no OPD {opd}",
        id="tidak ada OPD {opd}",
        next_en="Choose one of: {known}.",
        next_id="Pilih salah satu: {known}.",
    ),
    "look.waiting-alone": Text(
        en="--waiting is of all OPDs and states that you decide for",
        id="--waiting meliputi semua OPD dan keadaan yang Anda putus",
        next_en="Leave --opd and --state away.",
        next_id="Hapus --opd dan --state.",
    ),
    "desk.not-asserted": Text(
        en="this site takes the process's own login; --actor {login} is not believed",
        id="situs ini memakai login proses; --actor {login} tidak dipercaya",
        next_en="Leave --actor away and work under your own login.",
        next_id="Hapus --actor dan bekerja dengan login sendiri.",
    ),
    "desk.ledger-elsewhere": Text(
        en="the ledger {file} is outside of {directory}; it is not removed",
        id="buku besar {file} berada di luar {directory}; tidak dihapus",
        next_en="Name a ledger inside of the lab's site directory in site.yaml.",
        next_id="Di site.yaml, sebut buku besar di dalam direktori situs lab itu.",
    ),
    "desk.no-lab": Text(
        en="{directory} has clusters that are not the lab's; its ledger is not removed",
        id="{directory} punya klaster yang bukan lab; buku besarnya tidak dihapus",
        next_en="Only a site whose clusters all say `endpoints: lab` can be reset.",
        next_id="Hanya situs yang semua klasternya `endpoints: lab` yang dapat direset.",
    ),
}
