"""Texts of the saga: interruptions and what the journal remembers."""

from cloudpemda.messages import Text

TEXTS: dict[str, Text] = {
    "saga.transition": Text(
        en="the journal has no way from state {state} by event {event}",
        id="jurnal tidak mengenal jalan dari keadaan {state} lewat peristiwa {event}",
        next_en="This is a bug of cloudpemda: please report it with the journal.",
        next_id="Ini kesalahan cloudpemda: mohon laporkan beserta jurnalnya.",
    ),
    "saga.interrupted": Text(
        en="{subject}: interrupted at step {step}; everything begun is in the journal",
        id="{subject}: terhenti pada langkah {step}; semua yang sudah dimulai tercatat di jurnal",
        next_en="Run the same command again: it continues from there.",
        next_id="Jalankan lagi perintah yang sama: pekerjaan dilanjutkan dari sana.",
    ),
    "saga.earlier-failure": Text(
        en="an earlier run failed at step {step}: {error}",
        id="proses sebelumnya gagal pada langkah {step}: {error}",
        next_en="Remove the cause, then run `cloudpemda apply` again.",
        next_id="Atasi penyebabnya, lalu jalankan lagi `cloudpemda apply`.",
    ),
}
