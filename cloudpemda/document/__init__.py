"""Strict YAML with positions: the one reader for requests and for the site's files.

A document comes from somebody's editor and may be careless or hostile. It goes through four
gates, each of which reports faults with line, column and path instead of guessing:

- `files`: the bytes of a regular file of at most 256 KiB; no symlink, pipe, device or directory;
  `folder` for a directory that others write into
- `text`: UTF-8 without a byte order mark or control characters
- `reader`: YAML events from libyaml into plain values (dict, tuple, str, int, float, bool, None).
  Aliases, anchors, tags, directives, merge keys, further documents, duplicate keys and deep
  nesting are refused on sight, so nothing is ever expanded or constructed; `scalars` holds rules
  of our own, under which a plain word that other readers turn into something else is a fault
- `models`: the plain values against a pydantic model whose faults are mapped to our codes

What always holds: reading never raises for what a document contains (`Source.faults` says it),
all faults of a document come at once in the order of the text, and whatever is wrong at a place
is said once. The room knows no schema: it refuses to know what a request or a site is.
"""

from cloudpemda.document.models import Examined, examine, validate
from cloudpemda.document.reader import load, load_bytes
from cloudpemda.document.source import Path as DocumentPath
from cloudpemda.document.source import Source, show_path, shown

__all__ = [
    "DocumentPath",
    "Examined",
    "Source",
    "examine",
    "load",
    "load_bytes",
    "show_path",
    "shown",
    "validate",
]
