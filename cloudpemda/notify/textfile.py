"""The Prometheus textfile that node exporter picks up: gauges only, replaced in one rename."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudpemda.document.owner import give_path


@dataclass(frozen=True)
class Gauge:
    """One number with its labels. Metrics with one name must share help and label names."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def write(path: Path, gauges: Iterable[Gauge]) -> None:
    """Write the exposition format to `path` so that no reader ever sees half a file."""
    from prometheus_client import CollectorRegistry, write_to_textfile
    from prometheus_client import Gauge as Family

    registry = CollectorRegistry()
    families: dict[str, Family] = {}
    for gauge in gauges:
        family = families.get(gauge.name)
        if family is None:
            family = Family(gauge.name, gauge.help, sorted(gauge.labels), registry=registry)
            families[gauge.name] = family
        (family.labels(**gauge.labels) if gauge.labels else family).set(gauge.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readable as the umask says: node exporter runs under an account of its own. Nothing secret
    # stands in it, but who has how much: keep its directory to the two of them.
    write_to_textfile(str(path), registry)
    give_path(path)
