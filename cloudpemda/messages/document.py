"""Texts of documents: requests and the site's files."""

from cloudpemda.messages import Text

_FIX_ID = "Perbaiki di baris itu lalu periksa lagi."
_FIX_EN = "Correct it on that line and check again."

TEXTS = {
    # -- the file
    "document.not-found": Text(
        en="there is no such file",
        id="berkas ini tidak ada",
        next_en="Check the name and the folder.",
        next_id="Periksa nama berkas dan foldernya.",
    ),
    "document.unreadable": Text(
        en="the file cannot be read",
        id="berkas ini tidak dapat dibaca",
        next_en="Check that your account may read it.",
        next_id="Pastikan akun Anda boleh membacanya.",
    ),
    "document.symlink": Text(
        en="this is a symbolic link, and links are not followed",
        id="ini tautan simbolik, dan tautan tidak diikuti",
        next_en="Name the file itself.",
        next_id="Sebutkan berkas aslinya.",
    ),
    "document.directory": Text(
        en="this is a directory, not a file",
        id="ini direktori, bukan berkas",
        next_en="Name a file in it.",
        next_id="Sebutkan berkas di dalamnya.",
    ),
    "document.no-folder": Text(
        en="this is no directory that can be read, or a link to one",
        id="ini bukan direktori yang dapat dibaca, atau hanya tautan ke direktori",
        next_en="Make a real directory here, and let cloudpemda's account read and write in it.",
        next_id="Buat direktori sungguhan di sini, dan izinkan akun cloudpemda membaca dan "
        "menulisnya.",
    ),
    "document.crowded": Text(
        en="more than {most} files stand here; none of them was read",
        id="ada lebih dari {most} berkas di sini; tidak satu pun dibaca",
        next_en="Move away what is no longer needed.",
        next_id="Pindahkan yang tidak diperlukan lagi.",
    ),
    "document.second-name": Text(
        en="this file has a second name somewhere else (a hard link)",
        id="berkas ini punya nama kedua di tempat lain (tautan keras)",
        next_en="Copy it, and put the copy in its place.",
        next_id="Salin berkasnya, lalu taruh salinan itu di tempatnya.",
    ),
    "document.not-written": Text(
        en="{file} could not be written: {cause}",
        id="{file} tidak dapat ditulis: {cause}",
        next_en="Let cloudpemda's account write in that directory, and remove what is in the way.",
        next_id="Izinkan akun cloudpemda menulis di direktori itu, dan singkirkan penghalangnya.",
    ),
    "document.not-a-file": Text(
        en="this is no regular file (a pipe, a socket or a device)",
        id="ini bukan berkas biasa (pipa, soket, atau perangkat)",
        next_en="Save the document as a file and name that.",
        next_id="Simpan dokumen sebagai berkas, lalu sebutkan berkas itu.",
    ),
    "document.not-private": Text(
        en="others may read this file (mode {mode}), and it holds a secret",
        id="berkas ini dapat dibaca orang lain (mode {mode}), padahal berisi rahasia",
        next_en="chmod 600 it, and change the secret if it may have been seen.",
        next_id="Jalankan chmod 600, dan ganti rahasianya bila mungkin sudah terlihat.",
    ),
    "document.too-large": Text(
        en="the file is larger than {largest_kib} KiB",
        id="berkas lebih besar dari {largest_kib} KiB",
        next_en="A request has a few KiB: check that this is the right file.",
        next_id="Permohonan hanya beberapa KiB: pastikan berkasnya benar.",
    ),
    # -- the text
    "document.byte-order-mark": Text(
        en="the file begins with a byte order mark",
        id="berkas diawali tanda urutan bita (BOM)",
        next_en='Save it as "UTF-8" without BOM.',
        next_id='Simpan sebagai "UTF-8" tanpa BOM.',
    ),
    "document.not-utf8": Text(
        en="this is not UTF-8: byte {byte} at offset {offset}",
        id="ini bukan UTF-8: bita {byte} pada posisi {offset}",
        next_en="Save the file as UTF-8.",
        next_id="Simpan berkas sebagai UTF-8.",
    ),
    "document.control-character": Text(
        en="a control or invisible character ({character}) stands here",
        id="ada karakter kendali atau tak terlihat ({character}) di sini",
        next_en="Delete it; text copied from a web page or a word processor often has some.",
        next_id="Hapus; teks salinan dari laman web atau pengolah kata sering memuatnya.",
    ),
    "document.empty-file": Text(
        en="the file holds no document",
        id="berkas tidak memuat dokumen",
        next_en="Fill it in, starting from an example of the site's requests folder.",
        next_id="Isi, misalnya mulai dari contoh di folder requests situs ini.",
    ),
    # -- the syntax
    "document.syntax": Text(
        en="this is not valid YAML",
        id="ini bukan YAML yang benar",
        next_en="Look at this line and the one before it.",
        next_id="Periksa baris ini dan baris sebelumnya.",
    ),
    "document.stray-character": Text(
        en="a tab, or a character that nothing may begin with (@ ` %), stands here",
        id="ada tab, atau karakter yang tidak boleh di awal (@ ` %), di sini",
        next_en="Indent with spaces, and put such text in quotes.",
        next_id="Gunakan spasi untuk menjorokkan, dan beri tanda kutip pada teks seperti itu.",
    ),
    "document.open-quote": Text(
        en="a quote is opened here and never closed",
        id="tanda kutip dibuka di sini dan tidak pernah ditutup",
        next_en="Close it at the end of the text.",
        next_id="Tutup di akhir teks.",
    ),
    "document.open-bracket": Text(
        en="a bracket is opened here and never closed, or a comma is missing after it",
        id="kurung dibuka di sini dan tidak ditutup, atau koma sesudahnya kurang",
        next_en="Close it, and put commas between the parts.",
        next_id="Tutup kurungnya, dan beri koma di antara bagian-bagiannya.",
    ),
    "document.colon": Text(
        en="a key may not stand here",
        id="kunci tidak boleh berada di sini",
        next_en="Check the indentation, and put text that contains a colon in quotes.",
        next_id="Periksa inden, dan beri tanda kutip pada teks yang memuat titik dua.",
    ),
    "document.indentation": Text(
        en="this line does not fit those before it",
        id="baris ini tidak sesuai dengan baris-baris sebelumnya",
        next_en="Indent equal things equally, and put a colon and a space after each key.",
        next_id="Samakan inden hal yang setingkat; beri titik dua dan spasi setelah tiap kunci.",
    ),
    "document.escape": Text(
        en="an unknown escape after a backslash",
        id="urutan lolos yang tidak dikenal setelah garis miring terbalik",
        next_en="Use single quotes where a backslash is meant as such.",
        next_id="Pakai tanda kutip tunggal bila garis miring terbalik memang dimaksud.",
    ),
    "document.directive": Text(
        en="directives (%YAML, %TAG) are not accepted",
        id="arahan (%YAML, %TAG) tidak diterima",
        next_en="Delete the line.",
        next_id="Hapus baris itu.",
    ),
    "document.several": Text(
        en="a second document begins here; one file holds one document",
        id="dokumen kedua dimulai di sini; satu berkas memuat satu dokumen",
        next_en="Put it into a file of its own.",
        next_id="Pindahkan ke berkas tersendiri.",
    ),
    "document.alias": Text(
        en="a reference (*{name}) is not accepted",
        id="rujukan (*{name}) tidak diterima",
        next_en="Write the value out; text that begins with * needs quotes.",
        next_id="Tulis nilainya lengkap; teks yang diawali * perlu tanda kutip.",
    ),
    "document.anchor": Text(
        en="an anchor (&{name}) is not accepted",
        id="jangkar (&{name}) tidak diterima",
        next_en="Delete it; text that begins with & needs quotes.",
        next_id="Hapus; teks yang diawali & perlu tanda kutip.",
    ),
    "document.tag": Text(
        en="a tag ({tag}) is not accepted",
        id="tag ({tag}) tidak diterima",
        next_en="Delete it; text that begins with ! needs quotes.",
        next_id="Hapus; teks yang diawali ! perlu tanda kutip.",
    ),
    "document.merge-key": Text(
        en="a merge key (<<) is not accepted",
        id="kunci gabung (<<) tidak diterima",
        next_en="Write the keys out.",
        next_id="Tulis kunci-kuncinya lengkap.",
    ),
    "document.key": Text(
        en="a key must be a word",
        id="kunci harus berupa kata",
        next_en="Put it in quotes if it is meant.",
        next_id="Beri tanda kutip bila memang dimaksud.",
    ),
    "document.duplicate-key": Text(
        en="the key {key} stands already on line {line}",
        id="kunci {key} sudah ada di baris {line}",
        next_en="Keep one of the two.",
        next_id="Pertahankan salah satu.",
    ),
    "document.too-deep": Text(
        en="nested deeper than {deepest} levels",
        id="bersarang lebih dari {deepest} tingkat",
        next_en="No document here needs that: start from an example.",
        next_id="Tidak ada dokumen di sini yang perlu sedalam itu: mulai dari contoh.",
    ),
    "document.too-many-values": Text(
        en="more than {most} values",
        id="lebih dari {most} nilai",
        next_en="No document here needs that many: check that this is the right file.",
        next_id="Tidak ada dokumen di sini yang perlu sebanyak itu: pastikan berkasnya benar.",
    ),
    "document.too-many-faults": Text(
        en="more than {most} faults; from here on they are not told",
        id="lebih dari {most} kesalahan; mulai dari sini tidak disebutkan",
        next_en="Correct these first, or start from an example.",
        next_id="Perbaiki ini dulu, atau mulai dari contoh.",
    ),
    "document.ambiguous": Text(
        en="{word} without quotes means different things to different readers of YAML",
        id="{word} tanpa tanda kutip dapat dibaca berbeda-beda oleh pembaca YAML",
        next_en='Write "{word}" if you mean the text, true or false if you mean yes or no, '
        "a plain number such as 1000 if you mean a number.",
        next_id='Tulis "{word}" bila maksudnya teks, true atau false bila maksudnya ya atau '
        "tidak, bilangan biasa seperti 1000 bila maksudnya bilangan.",
    ),
    "document.empty": Text(
        en="nothing stands after the colon or dash",
        id="tidak ada isi setelah titik dua atau tanda hubung",
        next_en="Fill it in, or delete the line.",
        next_id="Isi, atau hapus barisnya.",
    ),
    "document.number": Text(
        en="the number {word} is too long to be one",
        id="bilangan {word} terlalu panjang",
        next_en="Put it in quotes if it is text.",
        next_id="Beri tanda kutip bila itu teks.",
    ),
    # -- the model
    "document.unknown-key": Text(
        en="unknown key {key}",
        id="kunci {key} tidak dikenal",
        next_en="Known here, nearest first: {known}.",
        next_id="Yang dikenal di sini, dari yang paling mirip: {known}.",
    ),
    "document.missing": Text(
        en="{key} is missing",
        id="{key} belum ada",
        next_en="Add it.",
        next_id="Tambahkan.",
    ),
    "document.text-expected": Text(
        en="text is expected, and {value} is none",
        id="di sini harus teks, sedangkan {value} bukan teks",
        next_en='Put it in quotes: "{value}".',
        next_id='Beri tanda kutip: "{value}".',
    ),
    "document.whole-number-expected": Text(
        en="a whole number is expected, not {value}",
        id="di sini harus bilangan bulat, bukan {value}",
        next_en="Write it in digits and without quotes, e.g. 4.",
        next_id="Tulis dengan angka tanpa tanda kutip, misalnya 4.",
    ),
    "document.number-expected": Text(
        en="a number is expected, not {value}",
        id="di sini harus bilangan, bukan {value}",
        next_en="Write it in digits and without quotes, e.g. 3 or 1.5.",
        next_id="Tulis dengan angka tanpa tanda kutip, misalnya 3 atau 1.5.",
    ),
    "document.flag-expected": Text(
        en="true or false is expected, not {value}",
        id="di sini harus true atau false, bukan {value}",
        next_en="Write true or false, without quotes.",
        next_id="Tulis true (ya) atau false (tidak), tanpa tanda kutip.",
    ),
    "document.mapping-expected": Text(
        en="keys with values are expected here, not {value}",
        id="di sini harus kunci beserta nilainya, bukan {value}",
        next_en="Write them below, each on a line of its own: key: value.",
        next_id="Tulis di bawahnya, masing-masing satu baris: kunci: nilai.",
    ),
    "document.list-expected": Text(
        en="a list is expected, not {value}",
        id="di sini harus daftar, bukan {value}",
        next_en="Begin each entry with a dash, or write [a, b].",
        next_id="Awali tiap butir dengan tanda hubung, atau tulis [a, b].",
    ),
    "document.choice": Text(
        en="{value} is not among the choices",
        id="{value} tidak termasuk pilihan",
        next_en="Choose from: {choices}.",
        next_id="Pilih dari: {choices}.",
    ),
    "document.too-small": Text(
        en="{value} is too small: at least {least}",
        id="{value} terlalu kecil: paling sedikit {least}",
        next_en=_FIX_EN,
        next_id=_FIX_ID,
    ),
    "document.too-big": Text(
        en="{value} is too big: at most {most}",
        id="{value} terlalu besar: paling banyak {most}",
        next_en=_FIX_EN,
        next_id=_FIX_ID,
    ),
    "document.too-few": Text(
        en="too few entries: at least {least}",
        id="butir kurang: paling sedikit {least}",
        next_en="Add what is missing.",
        next_id="Tambahkan yang kurang.",
    ),
    "document.too-many": Text(
        en="too many entries: at most {most}",
        id="butir terlalu banyak: paling banyak {most}",
        next_en="Divide them among several requests.",
        next_id="Bagi ke dalam beberapa permohonan.",
    ),
    "document.text-empty": Text(
        en="the text is empty",
        id="teksnya kosong",
        next_en="Fill it in.",
        next_id="Isi.",
    ),
    "document.text-too-long": Text(
        en="the text is longer than {most} characters",
        id="teks lebih panjang dari {most} karakter",
        next_en="Shorten it.",
        next_id="Persingkat.",
    ),
    "document.unprintable": Text(
        en="the text has characters that cannot be printed",
        id="teks memuat karakter yang tidak dapat dicetak",
        next_en="Type it anew instead of copying it.",
        next_id="Ketik ulang, jangan disalin.",
    ),
    "document.name": Text(
        en="{value} is no name",
        id="{value} bukan nama yang sah",
        next_en="Use up to 32 lower-case letters, digits and hyphens; begin with a letter.",
        next_id="Pakai paling banyak 32 huruf kecil, angka, dan tanda hubung; awali dengan huruf.",
    ),
    "document.image-name": Text(
        en="{value} is no name of an image",
        id="{value} bukan nama citra yang sah",
        next_en="Use lower-case letters, digits, dots and hyphens, e.g. debian-12.",
        next_id="Pakai huruf kecil, angka, titik, dan tanda hubung, misalnya debian-12.",
    ),
    "document.date": Text(
        en="{value} is no date",
        id="{value} bukan tanggal",
        next_en="Write year-month-day, e.g. 2027-12-31.",
        next_id="Tulis tahun-bulan-tanggal, misalnya 2027-12-31.",
    ),
    "document.email": Text(
        en="{value} is no e-mail address",
        id="{value} bukan alamat surel",
        next_en="Write it like siti@dinkes.example.go.id.",
        next_id="Tulis seperti siti@dinkes.example.go.id.",
    ),
    "document.nip": Text(
        en="{value} is no NIP: that has 18 digits",
        id="{value} bukan NIP: NIP terdiri atas 18 angka",
        next_en="Write the 18 digits in quotes, without spaces.",
        next_id="Tulis 18 angka itu dalam tanda kutip, tanpa spasi.",
    ),
    "document.limit": Text(
        en="{value} is no limit",
        id="{value} bukan batas",
        next_en="Write a whole number, 0 for none, or unlimited.",
        next_id="Tulis bilangan bulat, 0 untuk tidak ada, atau unlimited untuk tanpa batas.",
    ),
    "document.not-accepted": Text(
        en="{value} is not accepted here",
        id="{value} tidak diterima di sini",
        next_en="Compare with an example, or with what cloudpemda schema prints.",
        next_id="Bandingkan dengan contoh, atau dengan keluaran cloudpemda schema.",
    ),
}
