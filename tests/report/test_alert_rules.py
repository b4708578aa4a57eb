"""The alert rules speak of metrics that the night writes, and Prometheus takes them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cloudpemda.render import template_directory
from cloudpemda.usecases.night import metrics

RULES = template_directory() / "monitoring" / "cloudpemda.rules.yml"
_METRIC = re.compile(r"\bcloudpemda_\w+")

_FIRING = """
rule_files: [{rules}]
evaluation_interval: 5m
tests:
  - interval: 5m
    input_series:
      - {{series: 'cloudpemda_night_timestamp_seconds', values: '0x400'}}
      - {{series: 'cloudpemda_recovery_age_seconds{{vm="a",opd="x",loss="l"}}', values: '7200x9'}}
      - {{series: 'cloudpemda_recovery_limit_seconds{{vm="a",opd="x",loss="l"}}', values: '60x9'}}
      - {{series: 'cloudpemda_recovery_age_seconds{{vm="b",opd="x",loss="l"}}', values: '30x9'}}
      - {{series: 'cloudpemda_recovery_limit_seconds{{vm="b",opd="x",loss="l"}}', values: '60x9'}}
    promql_expr_test:
      - expr: ALERTS{{alertname="CloudpemdaRecoveryPointOld"}}
        eval_time: 10m
        exp_samples:
          - labels: >-
              ALERTS{{alertname="CloudpemdaRecoveryPointOld",alertstate="firing",loss="l",
              opd="x",severity="critical",vm="a"}}
            value: 1
      - expr: count(ALERTS{{alertname="CloudpemdaNightMissed",alertstate="firing"}})
        eval_time: 27h
        exp_samples: [{{labels: '{{}}', value: 1}}]
      - expr: count(ALERTS{{alertname="CloudpemdaNightMissed"}})
        eval_time: 25h
        exp_samples: []
"""


def test_every_metric_that_a_rule_names_is_written() -> None:
    written = set(_METRIC.findall(Path(metrics.__file__).read_text()))
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    named = {rule["alert"]: set(_METRIC.findall(rule["expr"])) for rule in group["rules"]}
    assert len(named) >= 9
    assert {alert: names - written for alert, names in named.items() if names - written} == {}
    assert all(named.values())


@pytest.mark.slow
def test_promtool_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool")
    subprocess.run([promtool, "check", "rules", str(RULES)], check=True)
    (tmp_path / "firing.yml").write_text(_FIRING.format(rules=RULES))
    subprocess.run([promtool, "test", "rules", str(tmp_path / "firing.yml")], check=True)
