"""Overage: what stands above a limit, by the ledger's charges or on the clusters alone.

A limit that was cut and a grant that ended leave a charge above the limit; a VM that was made or
grown by hand is charged nowhere, and is found by counting again. Neither takes anything away.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.report.standing import Finding
from cloudpemda.rules.quota import amount, overage, scope_of
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.pictures import Pictures
from cloudpemda.usecases.quota import QuotaLine
from cloudpemda.usecases.quota_verify import recounted

_Found = Mapping[tuple[str, str], int | None]


def overages(
    desk: Desk,
    lines: Sequence[QuotaLine],
    unread: Sequence[str] = (),
    pictures: Pictures | None = None,
) -> Iterator[Finding]:
    """A finding for each OPD and dimension above its limit, children included; what cannot be read
    is not judged. `unread` are clusters that are not asked again."""
    counted = recounted(desk, tuple(sorted(desk.site.opds)), unread, pictures)
    found: _Found = {(one.opd, one.dimension): one.found for one in counted.lines}
    for line in lines:
        if line.limit is None:
            continue
        if line.over:
            yield _finding("nightly.overage", line, line.used, line.limit)
            continue
        scope = scope_of(line.opd, desk.site.opds)
        there = [found.get((opd, line.dimension), 0) for opd in scope]
        known = [value for value in there if value is not None]
        # What is held is not there yet.
        used = sum(known) + line.held
        if len(known) == len(there) and overage(used, line.limit):
            yield _finding("nightly.overgrown", line, used, line.limit)


def _finding(code: str, line: QuotaLine, used: int, limit: int) -> Finding:
    values = {
        "opd": line.opd,
        "dimension": line.dimension,
        "used": amount(line.dimension, used),
        "limit": amount(line.dimension, limit),
        "short": amount(line.dimension, used - limit),
    }
    return Finding(line.opd, Fault(code, MappingProxyType(values)))
