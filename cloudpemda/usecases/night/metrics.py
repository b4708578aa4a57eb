"""What the night tells the monitors, as gauges."""

from collections import Counter
from collections.abc import Iterator, Sequence

from cloudpemda.ledger import InstanceState, PhaseRecord
from cloudpemda.notify.textfile import Gauge
from cloudpemda.report.standing import Finding, Guard
from cloudpemda.units import Instant
from cloudpemda.usecases.survey import Survey


def gauges(
    found: Survey,
    findings: Sequence[Finding],
    phases: Sequence[PhaseRecord],
    whole_at: Instant | None,
) -> Iterator[Gauge]:
    """Of the night itself, of each VM, of each OPD's quota. `whole_at` is when a night last came to
    this point without a phase that failed."""
    yield Gauge("cloudpemda_night_timestamp_seconds", "When the night ended", found.at.timestamp())
    yield Gauge("cloudpemda_night_findings", "Findings of the last night", len(findings))
    yield Gauge("cloudpemda_night_unread", "Clusters not read whole", len(found.unread))
    if whole_at is not None:
        yield Gauge(
            "cloudpemda_night_success_timestamp_seconds",
            "When a night in which no phase failed last ended",
            whole_at.timestamp(),
        )
    for opd, count in sorted(Counter(one.opd or "" for one in findings).items()):
        yield Gauge(
            "cloudpemda_night_breaches", "Findings by OPD; empty: the site's", count, {"opd": opd}
        )
    yield from _phases(phases)
    yield from _vms(found)
    yield from _recovery(found)
    for line in found.quota:
        labels = {"opd": line.opd, "dimension": line.dimension}
        yield Gauge("cloudpemda_quota_used", "Committed and held, sizes in MiB", line.used, labels)
        if line.limit is not None:
            yield Gauge("cloudpemda_quota_limit", "Limit, sizes in MiB", line.limit, labels)


def _phases(phases: Sequence[PhaseRecord]) -> Iterator[Gauge]:
    for one in phases:
        labels = {"phase": one.phase}
        if one.seconds is not None:
            yield Gauge(
                "cloudpemda_night_phase_seconds", "How long the phase took", one.seconds, labels
            )
            failed = float(one.result == "failed")
            yield Gauge("cloudpemda_night_phase_failed", "1 where the phase failed", failed, labels)


def _recovery(found: Survey) -> Iterator[Gauge]:
    """What each kind of loss would cost, and what may be lost."""
    for one in found.judgements:
        labels = {"vm": one.key, "opd": one.opd, "loss": one.loss}
        if one.attained is not None:
            yield Gauge(
                "cloudpemda_recovery_age_seconds",
                "How much work the loss would cost",
                one.attained,
                labels,
            )
        if one.rpo is not None:
            yield Gauge(
                "cloudpemda_recovery_limit_seconds", "How much of it is allowed", one.rpo, labels
            )


def _vms(found: Survey) -> Iterator[Gauge]:
    for one in found.instances:
        labels = {"vm": one.key, "opd": one.opd, "cluster": one.cluster}
        yield Gauge(
            "cloudpemda_vm_as_promised",
            "1 where the VM is protected as its class promises, 0 where not or unknown",
            float(one.as_promised and one.state is InstanceState.ACTIVE),
            labels,
        )
        for kind, cover in (("replication", one.replication), ("backup", one.backup)):
            if cover.guard is not Guard.NONE and cover.age is not None:
                yield Gauge(
                    "cloudpemda_recovery_point_age_seconds",
                    "Age of the newest usable recovery point",
                    cover.age,
                    {**labels, "kind": kind},
                )
