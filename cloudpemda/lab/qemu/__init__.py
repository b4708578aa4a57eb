"""Virtual machines: configuration, disks, power, clones, snapshots, migration.

A VM's configuration file belongs to the node it lies on; every call goes to that node, and finds
nothing elsewhere. What a call checks at once and what only its task finds out follows PVE, call by
call.
"""
