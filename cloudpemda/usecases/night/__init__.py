"""What the night is made of: `nightly` is its door.

A night is a row of phases in a fixed order: what time and rules decide, work on the clusters, the
judgement of all that was read after that work, what the site itself lacks, the copies of the
ledger; then it is told. Each phase stands in the ledger while it runs, so that the next call of
the same night knows how far a killed one came. What always holds:

- A phase that fails is a finding with its cause, and the next one begins all the same.
- What is judged is read after the night's own work, and never taken over from a call before.
- A phase that is done is not repeated by the call that goes on with a killed night where
  repeating it costs (`COSTLY`); one that found something or failed is.
- A night is named after the day in whose morning it ends: from noon to noon in the site's zone.
"""
