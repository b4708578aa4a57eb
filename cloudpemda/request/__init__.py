"""What an OPD writes: schema v1, its faults with file, line and column, its canonical form.

A request is text from outside until it has passed here; what leaves is a `WorkloadSpec`, a value
with a hash that comments, key order and formatting do not change; a request for quota becomes a
`QuotaSpec` in the same way. All faults of a document come
at once: those of the text and of the schema from `document`, those that concern several places
(equal names, both flavor and cpu) from `meaning`, which looks at the plain values so that one
wrong field hides no other.

A key whose room is not built yet is refused with `request.not-yet`, never ignored. The room
refuses to know who may ask for what (that is `rules`), what a site has except its flavors, and
what day it is.
"""

from cloudpemda.request.places import placed
from cloudpemda.request.quota_request import QuotaSpec, quota_from_json, quota_json_schema
from cloudpemda.request.read import FlavorLike, read, read_any
from cloudpemda.request.schema import VmRequest, json_schema
from cloudpemda.request.spec import WorkloadSpec, from_canonical_json

__all__ = [
    "FlavorLike",
    "QuotaSpec",
    "VmRequest",
    "WorkloadSpec",
    "from_canonical_json",
    "json_schema",
    "placed",
    "quota_from_json",
    "quota_json_schema",
    "read",
    "read_any",
]
