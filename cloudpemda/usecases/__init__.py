"""What people and the timer do, one imperative verb per file.

A use case knows the order of the rooms and nothing of how they do their part. It gets its live
objects from a `Desk`, checks that the actor may do this, and returns values or raises a
`CloudpemdaError`; it never prints. Only use cases may be called by the command line.
"""
