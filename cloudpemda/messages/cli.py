"""Texts of the command line itself."""

from cloudpemda.messages import Text

TEXTS = {
    "cli.usage": Text(
        en="{problem}",
        id="{problem}",
        next_en="See the command's --help.",
        next_id="Lihat --help dari perintah itu.",
    ),
    "cli.bug": Text(
        en="a bug of cloudpemda ({kind}); the traceback is on stderr",
        id="kesalahan program cloudpemda ({kind}); jejaknya ada di stderr",
        next_en="Nothing was reported as done. Please send the traceback to the maintainers.",
        next_id="Tidak ada yang dilaporkan selesai. Kirim jejak itu kepada pemelihara program.",
    ),
}
