"""The conformance suite: what being a backend means, as cases that an author's test class inherits.

>>> class TestMemory(DriverSuite):
...     @pytest.fixture
...     def driver(self):
...         return MemoryDriver()

The ``driver`` fixture gives a driver on an empty place, a layer around one, any object that fulfils ``Backend``,
or a ``Storage``. What a service may lack is asked of ``features``: a case then proves that the verb is refused
visibly, or is skipped and names what is missing. See ``Suite`` for what an author can set.
"""

from __future__ import annotations

import pytest

_ROOMS = (
    "base",
    "objects",
    "attributes",
    "bodies",
    "batches",
    "ranges",
    "listing",
    "names",
    "directories",
    "copying",
    "uploads",
    "writers",
    "readers",
    "hashes",
    "failures",
    "claims",
    "concurrency",
    "closing",
    "housekeeping",
)
# Before the first import of them: else a failing assert could not show its values.
pytest.register_assert_rewrite(*(f"{__name__}.{room}" for room in _ROOMS))

from .attributes import Attributes  # noqa: E402 -- see above
from .base import Suite  # noqa: E402
from .batches import Batches  # noqa: E402
from .bodies import Bodies  # noqa: E402
from .claims import Claims  # noqa: E402
from .closing import Closing  # noqa: E402
from .concurrency import Concurrency  # noqa: E402
from .copying import Copying  # noqa: E402
from .directories import Directories  # noqa: E402
from .failures import ErrorCases  # noqa: E402
from .hashes import Hashes  # noqa: E402
from .housekeeping import Housekeeping  # noqa: E402
from .listing import Listing  # noqa: E402
from .names import Names  # noqa: E402
from .objects import Objects  # noqa: E402
from .ranges import Ranges  # noqa: E402
from .readers import Readers  # noqa: E402
from .uploads import Uploads  # noqa: E402
from .writers import Writers  # noqa: E402

__all__ = ["DriverSuite", "Suite"]


class DriverSuite(
    Objects,
    Attributes,
    Bodies,
    Batches,
    Ranges,
    Listing,
    Names,
    Directories,
    Copying,
    Uploads,
    Writers,
    Readers,
    Hashes,
    ErrorCases,
    Claims,
    Concurrency,
    Closing,
    Housekeeping,
):
    """All cases; inherit from it, and give it a ``driver`` fixture."""
