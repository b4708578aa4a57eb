"""A ledger's life in small, done once in the fork server before anything is forked from it.

What statements compile to is kept for the process (`ledger.databases`), and a fork starts with it:
a process of a storm then does what a long-lived one does, in a tenth of the time.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.ledger.makers import applying, open_at, workload

with TemporaryDirectory() as place, open_at(Path(place)) as ledger:
    applying(ledger, workload())
    ledger.requests.list()
