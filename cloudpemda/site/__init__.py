"""The site directory as typed settings, with the same line-precise faults as requests.

`site.yaml` says what there is (clusters, networks, defaults), `opd/<code>.yaml` who may have how
much of it, `catalogue.yaml` what can be asked for, `people.yaml` who may do what. Each file has a
model (`models`); what they say of each other is compared once all are read (`checks`): a site
either loads whole (`load_site`) or not at all, with all faults of all files.

Secrets never stand in these files, only the names of files that hold them. The room refuses to
know whether a cluster really is as described (that is `doctor`) and what is used of a quota (the
ledger).
"""

from cloudpemda.site.load import Site, load_site
from cloudpemda.site.models import json_schema

__all__ = ["Site", "json_schema", "load_site"]
