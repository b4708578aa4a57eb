"""May they have it? Catalogue, policy and quota, as pure functions of values that are handed in.

Beside them: who decides on it (`approvals`, `manning`), and how long it is theirs (`leases`,
`granting`).

A rule looks at everything before it answers, so that a reader learns all reasons at once, each
with its numbers and its way out. The answer is a `Verdict`; raising is left to the caller.

What always holds here:

- One formula (`quota.usage_of`) turns a VM into quota; approval, apply, recount and reports use it.
- Only dimensions that grow are judged: shrinking, stopping and moving are never refused.
- A growth counts for the OPD that asks and for each of its parents.
- A dimension without a limit of its own and without a default is 0, which is none; unlimited must
  be said.
- Nobody approves what they asked for or handed in themselves, under no second role and no
  delegation; nobody counts twice in one chain of approval, nor does whoever they stand in for.

The room knows no database, no cluster and no clock: balances, people and the moment are values.
"""

from cloudpemda.rules.verdict import Verdict

__all__ = ["Verdict"]
