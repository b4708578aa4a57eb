"""How fresh is what protects an instance, and is that what its class promises? Pure arithmetic.

Two losses are judged: of a node (the replicas; without replication the backups) and of the site,
by the class's way to the recovery centre:

- `backup-sync`, or no method where the backup server is synced all the same: the newest backup that
  lies at the recovery centre's server, by the time that it was taken at, not by when it came there.
- `stretched`: the newest replica on the other side of the cluster, seen from where the VM runs.
- neither, where the files name no such server: the backups, wherever their storage stands.

What holds:

- Judged by age, never by a job's status: a green job with an old recovery point is a breach, and a
  failing job with a young one is none yet.
- What was not read is `unknown`, never `ok`. A time from the future is `clock-skew`, and no age is
  ever negative.
- A recovery point counts for the instance that it was made of: a backup older than the instance
  belongs to somebody who had its VMID before. A backup that failed its verification is none.
- A new instance is `pending` until its RPO has passed once; then having no copy is a breach.

`window` reckons, from what the last runs took, whether the night's work fits into its hours, per
source node; what nobody has measured is unknown, and never fits.

`due` says which copies are missing by the same judgement, and which of them fit into what is left
of the night.

The room knows no clock (`now` is handed in), no ledger, and asks nobody.
"""

from cloudpemda.recovery.rpo import (
    Facts,
    Judgement,
    Loss,
    Standing,
    judge,
    judge_backup,
    newest_good,
)

__all__ = ["Facts", "Judgement", "Loss", "Standing", "judge", "judge_backup", "newest_good"]
