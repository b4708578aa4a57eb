"""All that the lab serves: every module that registers a handler, found by walking the package."""

import importlib
import pkgutil
from functools import cache

from cloudpemda import lab
from cloudpemda.lab.routes import HANDLERS


@cache
def routes() -> list[str]:
    """`METHOD /path` of everything served in any release."""
    for module in pkgutil.walk_packages(lab.__path__, f"{lab.__name__}."):
        importlib.import_module(module.name)
    return sorted(HANDLERS)
