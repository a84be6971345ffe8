"""Objects as the API server sends them."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
