"""The only door to people and monitors. Today: the Prometheus textfile.

It is told what to say and says it; it judges nothing and reads nothing.
"""
