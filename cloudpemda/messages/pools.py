"""Texts of pools and of those who may look at them."""

from cloudpemda.messages import Text

TEXTS = {
    "pools.unread": Text(
        en="{vm}: VM {vmid} stands in another pool, but {node} on {cluster} did not tell whose it "
        "is: it was left there",
        id="{vm}: VM {vmid} berada di pool lain, tetapi {node} di {cluster} tidak menjawab milik "
        "siapa: dibiarkan",
        next_en="Run `cloudpemda pools sync` again once the node answers.",
        next_id="Jalankan lagi `cloudpemda pools sync` setelah nodenya menjawab.",
    ),
    "pools.not-ours": Text(
        en="{vm}: VM {vmid} on {node} ({cluster}) does not carry our uid and role: it was left "
        "where it is",
        id="{vm}: VM {vmid} di {node} ({cluster}) tidak memuat uid dan peran kita: dibiarkan",
        next_en="`cloudpemda drift` tells what stands there; find out whose it is.",
        next_id="`cloudpemda drift` menyebut apa yang ada di sana; cari tahu milik siapa.",
    ),
    "pools.user-foreign": Text(
        en="{cluster} has a user {user} that this program has not made: it was given nothing",
        id="{cluster} sudah memiliki pengguna {user} yang bukan buatan program ini: tidak diberi "
        "apa pun",
        next_en="Give the person what they need by hand, or take the login out of `pveUsers`; a "
        "user that you delete is made anew.",
        next_id="Berikan haknya dengan tangan, atau hapus login itu dari `pveUsers`; pengguna "
        "yang Anda hapus akan dibuat ulang.",
    ),
    "pools.user-left": Text(
        en="{cluster}: {user} may still look at pools, but the site names them no more",
        id="{cluster}: {user} masih boleh melihat pool, padahal tidak disebut lagi di berkas situs",
        next_en="`cloudpemda pools sync --yes` shuts them out.",
        next_id="`cloudpemda pools sync --yes` menutup aksesnya.",
    ),
    "pools.left": Text(
        en="{cluster}: {subject} is not as it shall be yet ({deed})",
        id="{cluster}: {subject} belum sesuai ({deed})",
        next_en="The reason stands beside it; the same command goes on. `cloudpemda doctor` tells "
        "what the token lacks.",
        next_id="Sebabnya disebut di sampingnya; perintah yang sama melanjutkan. `cloudpemda "
        "doctor` menyebut hak token yang kurang.",
    ),
    "show.pools-make": Text(
        en="{cluster}: make pool {subject} ({what})", id="{cluster}: buat pool {subject} ({what})"
    ),
    "show.pools-comment": Text(
        en="{cluster}: pool {subject} says: {what}",
        id="{cluster}: keterangan pool {subject}: {what}",
    ),
    "show.pools-move": Text(
        en="{cluster}: into pool {subject}: {what}", id="{cluster}: ke pool {subject}: {what}"
    ),
    "show.pools-user": Text(
        en="{cluster}: make user {subject}, without a password",
        id="{cluster}: buat pengguna {subject}, tanpa kata sandi",
    ),
    "show.pools-enable": Text(
        en="{cluster}: user {subject} may log in again",
        id="{cluster}: pengguna {subject} boleh masuk lagi",
    ),
    "show.pools-disable": Text(
        en="{cluster}: user {subject} may not log in any more",
        id="{cluster}: pengguna {subject} tidak boleh masuk lagi",
    ),
    "show.pools-grant": Text(
        en="{cluster}: {subject} may look at pool {what}",
        id="{cluster}: {subject} boleh melihat pool {what}",
    ),
    "show.pools-revoke": Text(
        en="{cluster}: {subject} may not look at pool {what} any more",
        id="{cluster}: {subject} tidak boleh melihat pool {what} lagi",
    ),
    "show.pools-stranger": Text(
        en="{cluster}: VM {vmid} ({name}) stands in {opd}'s pool {pool} and in no ledger; it stays",
        id="{cluster}: VM {vmid} ({name}) ada di pool {pool} milik {opd} tanpa tercatat; dibiarkan",
    ),
    "show.pools-ask": Text(en="Do these {steps}?", id="Lakukan {steps} langkah ini?"),
    "show.pools-preview": Text(
        en="Nothing was changed: --yes does it.",
        id="Belum ada yang diubah: --yes melaksanakannya.",
    ),
    "show.pools-done": Text(en="Done, and read back.", id="Selesai, dan sudah dibaca kembali."),
    "show.pools-settled": Text(
        en="Pools and their readers are as they shall be.",
        id="Pool dan para pembacanya sudah sesuai.",
    ),
}
