"""Texts of quota: refusals per dimension, and the warning before them."""

from cloudpemda.messages import Text

_NEXT_EN = (
    "Ask for at most {left}, release what {opd} no longer needs, or ask Diskominfo by letter "
    "to raise the limit by {short}."
)
_NEXT_ID = (
    "Minta paling banyak {left}, lepaskan yang tidak lagi dipakai {opd}, atau ajukan surat ke "
    "Diskominfo untuk menaikkan batas sebesar {short}."
)


def _refusal(what_en: str, what_id: str) -> Text:
    return Text(
        en=f"{what_en} of {{opd}}: {{needed}} needed, {{left}} left of {{limit}}",
        id=f"{what_id} {{opd}}: perlu {{needed}}, tersisa {{left}} dari {{limit}}",
        next_en=_NEXT_EN,
        next_id=_NEXT_ID,
    )


TEXTS: dict[str, Text] = {
    "quota.instances": _refusal("number of VMs", "jumlah VM"),
    "quota.vcpu": _refusal("vCPU quota", "kuota vCPU"),
    "quota.memory": _refusal("memory quota", "kuota memori"),
    "quota.disk": _refusal(
        "disk quota ({storage_class}, replicas included)",
        "kuota disk ({storage_class}, termasuk replika)",
    ),
    "quota.backup": _refusal("backup quota", "kuota cadangan (backup)"),
    "quota.public-ip": _refusal("public addresses", "alamat IP publik"),
    "quota.exceeded": Text(
        en="quota does not allow {subject}",
        id="kuota tidak mengizinkan {subject}",
        next_en="`cloudpemda quota show {opd}` shows what is used and held.",
        next_id="`cloudpemda quota show {opd}` menampilkan yang terpakai dan yang ditahan.",
    ),
    "quota.near": Text(
        en="{dimension} of {opd} will be at {percent} % of its limit: {used} of {limit}",
        id="{dimension} milik {opd} akan mencapai {percent} % dari batas: {used} dari {limit}",
        next_en="Plan for more, or release what is no longer needed.",
        next_id="Rencanakan penambahan, atau lepaskan yang tidak lagi diperlukan.",
    ),
}
