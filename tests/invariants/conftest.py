"""The site and lab of the scenarios, for those who try to break what must always hold."""

from tests.scenarios.conftest import _site, call, office

__all__ = ["_site", "call", "office"]
