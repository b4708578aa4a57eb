"""Ledger and cluster states joined into views: what people, JSON and monitors are shown.

A view is a frozen value made from other values; it is computed, never stored. The room neither
reads nor writes anything, decides nothing, and knows no layout of a page: the command line prints.
"""
