"""Texts of the pause."""

from cloudpemda.messages import Text

TEXTS = {
    "pause.on": Text(
        en="the site is paused since {since} (until {until}) by {person}: {why}",
        id="situs dijeda sejak {since} (sampai {until}) oleh {person}: {why}",
        next_en="Nothing is changed on any cluster. When the work is done: `cloudpemda resume`; "
        "then `cloudpemda apply` continues what was stopped.",
        next_id="Tidak ada yang diubah di klaster mana pun. Setelah pekerjaan selesai: "
        "`cloudpemda resume`; lalu `cloudpemda apply` melanjutkan yang terhenti.",
    ),
    "pause.on-already": Text(
        en="the site is paused already, since {since} (until {until}) by {person}: {why}",
        id="situs sudah dijeda sejak {since} (sampai {until}) oleh {person}: {why}",
        next_en="Agree with {person} first; `cloudpemda resume` ends it, then pause anew.",
        next_id="Sepakati dahulu dengan {person}; `cloudpemda resume` mengakhirinya, lalu jeda "
        "kembali.",
    ),
    "pause.moment": Text(
        en="{text} is no moment that is still to come",
        id="{text} bukan waktu yang akan datang",
        next_en="Write a day (2026-12-31, its end) or a minute (2026-12-31T18:00) in the site's "
        "zone.",
        next_id="Tulis hari (2026-12-31, sampai akhirnya) atau menit (2026-12-31T18:00) menurut "
        "zona situs.",
    ),
    "show.paused": Text(
        en="paused until {until}; `cloudpemda resume` ends it",
        id="dijeda sampai {until}; `cloudpemda resume` mengakhirinya",
    ),
    "show.resumed": Text(
        en="resumed; it was paused since {since}",
        id="dilanjutkan; tadinya dijeda sejak {since}",
    ),
    "show.not-paused": Text(
        en="the site was not paused; nothing was changed",
        id="situs tidak sedang dijeda; tidak ada yang diubah",
    ),
}
