"""What was loaded before the first line of a function's module?"""

import sys

LOADED = set(sys.modules)


def loaded():
    heavy = {"asyncio", "inspect", "json", "logging", "runpy", "typing", "dataclasses", "uuid"}
    return sorted(name for name in LOADED if name in heavy or "celery" in name)
