"""The site directory as typed settings, with the same line-precise faults as requests."""
