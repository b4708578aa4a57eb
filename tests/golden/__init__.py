"""Texts as readers get them, kept word for word so that a change to one is seen in review."""
