"""High availability: what is asked for (`config`), what is done (`manager`), what is told
(`status`).

The manager looks every ten seconds: it starts what should be started, stops what should be stopped,
and carries out migrations. Fencing and recovery from a lost node are not modelled yet.
"""
