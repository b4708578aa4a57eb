"""High availability: managed resources, groups (8) or rules (9), and a manager that makes them so.

The manager looks every ten seconds: it starts what should be started, stops what should be stopped,
and carries out migrations. Fencing and recovery from a lost node are not modelled yet.
"""
