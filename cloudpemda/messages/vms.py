"""Texts of what is done with VMs that live."""

from cloudpemda.messages import Text

TEXTS = {
    "vm.names": Text(
        en="name at least one VM",
        id="sebutkan sedikitnya satu VM",
        next_en="`cloudpemda vm list` shows their keys, as dinkes/simrs/db-1.",
        next_id="`cloudpemda vm list` menampilkan kuncinya, misalnya dinkes/simrs/db-1.",
    ),
    "vm.failed": Text(
        en="{vm}: {verb} did not succeed",
        id="{vm}: {verb} tidak berhasil",
        next_en="The cause follows; run the command again once it is gone.",
        next_id="Sebabnya tertulis berikut; ulangi perintahnya setelah teratasi.",
    ),
    "vm.halted": Text(
        en="{vm}: {verb} was interrupted before its end was seen",
        id="{vm}: {verb} terhenti sebelum hasilnya terlihat",
        next_en="Run the command again: it looks first, and goes on from there.",
        next_id="Jalankan lagi perintahnya: keadaan diperiksa dahulu, lalu dilanjutkan.",
    ),
    "vm.not-for-requesters": Text(
        en="this site does not let requesters {verb} VMs by themselves",
        id="situs ini tidak mengizinkan pemohon melakukan {verb} pada VM sendiri",
        next_en="Ask an operator of Diskominfo; `vms.requesters` in site.yaml says what is let.",
        next_id="Minta operator Diskominfo; `vms.requesters` di site.yaml memuat yang diizinkan.",
    ),
    "vm.state": Text(
        en="{vm} is {state}: only a VM that is active can be worked on",
        id="{vm} berstatus {state}: hanya VM yang aktif dapat dikerjakan",
        next_en="`cloudpemda vm show {vm}` says what is under way; wait for it or finish it.",
        next_id="`cloudpemda vm show {vm}` menunjukkan yang sedang berjalan; tunggu atau "
        "selesaikan.",
    ),
    "vm.not-running": Text(
        en="{vm} does not run, so it cannot be restarted",
        id="{vm} tidak berjalan, jadi tidak dapat dinyalakan ulang",
        next_en="Start it: cloudpemda vm start {vm}",
        next_id="Nyalakan: cloudpemda vm start {vm}",
    ),
    "vm.locked": Text(
        en="{vm} is locked ({lock}) by {task} of {user} on {node} since {since}",
        id="{vm} terkunci ({lock}) oleh {task} milik {user} di {node} sejak {since}",
        next_en="Nothing was changed. Wait until that task has ended, then run it again.",
        next_id="Tidak ada yang diubah. Tunggu tugas itu selesai, lalu ulangi.",
    ),
    "vm.lock-left": Text(
        en="{vm} is locked ({lock}), and no task works on it any more",
        id="{vm} terkunci ({lock}), padahal tidak ada tugas yang mengerjakannya lagi",
        next_en="See in PVE what became of the last task; if it left nothing half done: "
        "qm unlock {vmid}",
        next_id="Periksa di PVE hasil tugas terakhir; bila tidak ada yang setengah jadi: "
        "qm unlock {vmid}",
    ),
    "vm.guest-silent": Text(
        en="{vm} was asked to shut down and did not: {text}",
        id="{vm} diminta mati tetapi tidak menurut: {text}",
        next_en="It runs on. Shut it down from inside, or run the command with --hard, which "
        "switches it off.",
        next_id="VM tetap berjalan. Matikan dari dalam, atau pakai --hard yang memutus dayanya.",
    ),
    "vm.does-not-start": Text(
        en="{key}: VM {vmid} was not seen running in time",
        id="{key}: VM {vmid} belum terlihat berjalan pada waktunya",
        next_en="Look at its task log in PVE (under HA: `ha-manager status`), then run it again.",
        next_id="Periksa log tugasnya di PVE (dengan HA: `ha-manager status`), lalu ulangi.",
    ),
    "vm.does-not-stop": Text(
        en="{key}: VM {vmid} was not seen stopped in time",
        id="{key}: VM {vmid} belum terlihat berhenti pada waktunya",
        next_en="Look at its task log in PVE, then run it again, with --hard if need be.",
        next_id="Periksa log tugasnya di PVE, lalu ulangi, bila perlu dengan --hard.",
    ),
    "nightly.vm-runs": Text(
        en="{vm} runs, although {by} has stopped it",
        id="{vm} berjalan, padahal telah dihentikan oleh {by}",
        next_en="`cloudpemda vm start {vm}` says that it may; `cloudpemda vm stop {vm}` stops it.",
        next_id="`cloudpemda vm start {vm}` mengizinkannya; `cloudpemda vm stop {vm}` "
        "menghentikannya.",
    ),
    "show.vm-hard-ask": Text(
        en="Switch off {vms} without asking the guest? What it has not written is lost.",
        id="Putus daya {vms} tanpa meminta sistemnya mati? Yang belum tertulis akan hilang.",
    ),
    "show.vm-start": Text(en="{vm} runs", id="{vm} berjalan"),
    "show.vm-start-already": Text(
        en="{vm} runs already; nothing was sent", id="{vm} sudah berjalan; tidak ada yang dikirim"
    ),
    "show.vm-stop": Text(
        en="{vm} is stopped, and stays so until `cloudpemda vm start {vm}`",
        id="{vm} berhenti, dan tetap begitu sampai `cloudpemda vm start {vm}`",
    ),
    "show.vm-stop-already": Text(
        en="{vm} was stopped already, and stays so until `cloudpemda vm start {vm}`",
        id="{vm} memang sudah berhenti, dan tetap begitu sampai `cloudpemda vm start {vm}`",
    ),
    "show.vm-restart": Text(en="{vm} was restarted", id="{vm} telah dinyalakan ulang"),
    "show.vm-effective": Text(
        en="{vm}: {key} {now} → {next} is effective now",
        id="{vm}: {key} {now} → {next} kini berlaku",
    ),
    "show.vm-stopped-by": Text(
        en="{vm} is stopped on purpose since {since} by {person}: {why}",
        id="{vm} sengaja dihentikan sejak {since} oleh {person}: {why}",
    ),
}
