"""May a listener still listen? Asked again as at the beginning, for the token that it came with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sundial_api.auth.tokens import Caller, refuse
from sundial_api.deps import CallerAccess, Services
from sundial_api.http.errors import HTTPProblem
from sundial_clock.sentences import say
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOBS

STILL_LOOKING = say("it is still being found which namespaces you may list; try again in a moment")


class MayNotListen(Exception):
    """A listener may listen no longer, or cannot be known to."""


@dataclass(frozen=True, slots=True)
class ListenerRights:
    """The right to follow changes, in one namespace or (None) in all, of whoever has a token."""

    services: Services
    token: str | None
    ns: str | None

    async def find_namespaces(self, caller: Caller) -> Collection[str] | None:
        """Find to which namespaces a caller may listen, None is all; raises Problem 403.

        While not all of them are found it is 503: changes in the others would be passed over.
        """
        reach = await CallerAccess(caller, self.services.access).find_reach(SCHEDULED_JOBS, self.ns)
        if not reach.is_complete:
            raise HTTPProblem(503, STILL_LOOKING, Retry_After="1")
        return reach.namespaces

    async def find_again(self) -> Collection[str] | None:
        """Find it again, who the caller is included; raises MayNotListen.

        In an outage of the API server as for reads (docs/architecture.md, "Who may do what").
        """
        try:
            caller = await self.services.authenticator.identify(self.token, is_read=True)
            return await self.find_namespaces(caller)
        except (HTTPProblem, ApiError, ApiUnreachable):
            raise MayNotListen from None


def compute_seconds(caller: Caller, now: float) -> float | None:
    """Compute how long a caller may listen at most, None without an end; `now` in Unix seconds.

    Raises Problem 401 when its token has ended, be it in the moment that clocks may differ by.
    """
    if caller.expires_at is None:
        return None
    if caller.expires_at <= now:
        raise refuse(say("the token has expired"))
    return caller.expires_at - now
