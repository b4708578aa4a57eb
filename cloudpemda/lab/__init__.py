"""A simulated Proxmox VE site: clusters that answer as PVE does, over real HTTPS on loopback.

It exists so that the demo, the tests and a cautious rehearsal need no hardware. It is as strict as
PVE (parameters, permissions, locks, space, tasks) and is never edited to fit our client: it imports
nothing of the rooms that talk to PVE, so that one misreading is not wrong in both places.
Everything happens on one clock, which can run fast, stand still, or be moved; whatever really
happened is written down, for tests to compare with what the program believed.

The tables of parameters are PVE's own declarations; all else is modelled behaviour: there is no
table of recorded answers. `process` starts and finds a lab and is light; `serve` is one, and
imports a web server.
"""
