"""High availability: what is asked for (`config`), what is done, and what is told (`status`).

What is done is an engine of its own, without web or clock: `values` are what its daemons know,
`crm` decides, `lrm` acts, `locks` make it safe; `rules` and `placement` say where a service may
run. It lives in any `Surroundings`: `manager` lends it a simulated cluster.
"""
