"""What would change? Desired against live, a pure diff; a plan writes nothing.

`desire` gives a specification its meaning on one cluster, `pve_config` and `ha` say it in PVE's own
keys and rules, `firewall` says who reaches a VM, `schedule` when it is copied; `diff` compares all
that with what was read, `byhand` names what only a person may put right, `restart` what waits for a
new start; `offer` is what a reviewer decides on. `pools` compares pools and their readers in the
same way, and `adoption` measures what somebody else has made. Drift is a plan that nobody asked
for.

What holds:

- The keys that apply sends are the keys that diff compares: both come from `pve_config` and `ha`.
  A plan that was applied is settled.
- Unknown is not absent: what could not be read raises, and is never planned as new.
- Nothing is planned for a VM whose description does not carry our uid and role, nor for one that
  was made and lost a disk, or was given one: a plan must not hide or destroy data.
- Where HA may run a VM, its node is no difference, and neither is the direction of a replication.
- A plan's digest covers what it saw of its instances and its nodes' eligibility, never free
  figures: it is applied once, to the state it saw.

The room knows no ledger, no HTTP and no text for people beyond its refusals.
"""
