"""What does an Idempotency-Key stand for? A name is made of it, and what was asked for with it is remembered.

The rule: docs/api-contract.md, "Idempotency-Key".
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import orjson
from pydantic import BaseModel

from sundial_api.http.errors import HTTPProblem, Invalid
from sundial_clock.sentences import say
from sundial_core.resources.names import REQUEST_DIGEST
from sundial_core.resources.raw import JsonObject

REPEAT_WITHIN = timedelta(hours=24)
"""How long an Idempotency-Key stands for what was made with it."""


def build_keyed_name(prefix: str, *parts: str) -> str:
    """Build a name that is the same for the same parts: namespace, caller and Idempotency-Key."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{prefix}-{digest[:32]}"


def digest_request(key: str, body: BaseModel) -> str:
    """Digest what a request asks for; without the key nobody can guess from it what that was.

    What is left out and what is said to be as by default are the same, in this release and in the next one.
    """
    asked = orjson.dumps(body.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_SORT_KEYS)
    return hmac.new(key.encode(), asked, hashlib.sha256).hexdigest()[:32]


def check_repeat(item: JsonObject, now: datetime, digest: str | None = None) -> None:
    """Check that an Idempotency-Key still stands for an object, and for the same request.

    An object without a digest was made by an earlier release, or for a request without a body. Raises Problem
    409 and Invalid.
    """
    created_at = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    if now - created_at > REPEAT_WITHIN:
        raise HTTPProblem(409, say("this Idempotency-Key was used more than 24 hours ago; use another one"))
    known = _read_digest(item["metadata"])
    if digest is not None and known is not None and known != digest:
        message = say("was used for another request; use another key, or send the same body again")
        raise Invalid(("header", "idempotency-key"), message)


def _read_digest(metadata: Any) -> str | None:
    found: str | None = (metadata.get("annotations") or {}).get(REQUEST_DIGEST)
    return found
