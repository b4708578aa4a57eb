"""What people and the timer do, one imperative verb per file.

A use case knows the order of the rooms and nothing of how they do their part. It gets its live
objects from a `Desk`, checks that the actor may do this, and returns values or raises a
`CloudpemdaError`; it never prints. Only use cases may be called by the command line.

What several verbs share stands beside them under a noun: `workload` is a request with all that is
said about it, `run` one on its cluster, `leaving` one on its way out, `pictures` what a night has
read of the clusters, `noted` what the ledger notes of VMs, `journals` the sagas that a run has
open.
"""
