"""Replication jobs (pvesr): copies of a guest's zfs volumes on another node, on a schedule.

`engine` knows one run and when the next is due, of any guest on any ground; `daemon` lets it work
on a simulated cluster, one job after another on each node; `api` is how jobs are made and seen.
"""
