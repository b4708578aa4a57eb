"""Texts of the units."""

from cloudpemda.messages import Text

TEXTS = {
    "unit.missing": Text(
        en="{value} has no unit",
        id="{value} tidak bersatuan",
        next_en='Write the unit with it, e.g. "8 GiB" for a size or "15m" for a duration.',
        next_id='Tulis beserta satuannya, misalnya "8 GiB" untuk ukuran atau "15m" untuk durasi.',
    ),
    "unit.size": Text(
        en="{text!r} is not a size",
        id="{text!r} bukan ukuran",
        next_en='Write a whole number with MiB, GiB or TiB, e.g. "8 GiB".',
        next_id='Tulis bilangan bulat dengan MiB, GiB, atau TiB, misalnya "8 GiB".',
    ),
    "unit.duration": Text(
        en="{text!r} is not a duration",
        id="{text!r} bukan durasi",
        next_en='Write a whole number with s, m, h or d, e.g. "15m".',
        next_id='Tulis bilangan bulat dengan s, m, h, atau d, misalnya "15m".',
    ),
    "unit.instant": Text(
        en="{text!r} is not a moment with a UTC offset",
        id="{text!r} bukan waktu dengan selisih UTC",
        next_en="Write it like 2026-11-20T08:00:00+07:00.",
        next_id="Tulis seperti 2026-11-20T08:00:00+07:00.",
    ),
    "clock.lab": Text(
        en="the lab, whose clock is this site's, does not answer at {url}",
        id="lab, yang jamnya dipakai situs ini, tidak menjawab di {url}",
        next_en="Start it: cloudpemda --site DIR lab start; then run the command again.",
        next_id="Jalankan: cloudpemda --site DIR lab start; lalu ulangi perintahnya.",
    ),
}
