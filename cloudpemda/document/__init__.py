"""Strict YAML with positions: the one reader for requests and for the site's files."""
