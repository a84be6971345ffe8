"""What an API server's refusal means: try later, skip the slot, look at what is there, or stop."""

from __future__ import annotations

import pytest

from sundial_core.refusals import Refusal, classify_refusal

FORBIDDEN = 'jobs.batch "tick-x" is forbidden: '
TERMINATING = FORBIDDEN + "unable to create new content in namespace team because it is being terminated"
FENCE = "ValidatingAdmissionPolicy 'sundial-fence.a.b' with binding 'sundial-fence.a.b' denied request"
AUTHORISER = FORBIDDEN + 'User "x" cannot create resource "jobs" in API group "batch" in the namespace "team"'
QUOTA = FORBIDDEN + "exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=1"
CONFLICT = 'Operation cannot be fulfilled on resourcequotas "few": the object has been modified'


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        pytest.param(409, "AlreadyExists", 'jobs.batch "tick-x" already exists', Refusal.EXISTS, id="exists"),
        pytest.param(
            409,
            "AlreadyExists",
            'object is being deleted: jobs.batch "x" already exists',
            Refusal.EXISTS,
            id="going",
        ),
        pytest.param(409, "Conflict", CONFLICT, Refusal.RETRY, id="quota in conflict"),
        pytest.param(400, "BadRequest", "admission webhook denied", Refusal.REJECTED, id="400"),
        pytest.param(422, "Invalid", "spec.template: Invalid value", Refusal.REJECTED, id="422"),
        pytest.param(413, "RequestEntityTooLarge", "limit is 3145728", Refusal.REJECTED, id="too large"),
        pytest.param(
            403, "Forbidden", 'admission webhook "x" denied the request: no', Refusal.REJECTED, id="webhook"
        ),
        pytest.param(403, "Forbidden", FORBIDDEN + "violates PodSecurity", Refusal.REJECTED, id="plugin"),
        pytest.param(403, "Forbidden", AUTHORISER, Refusal.RETRY, id="authoriser"),
        pytest.param(403, "Forbidden", QUOTA, Refusal.RETRY, id="quota"),
        pytest.param(403, "Forbidden", "not yet ready to handle request", Refusal.RETRY, id="not yet ready"),
        pytest.param(403, "Forbidden", TERMINATING, Refusal.NAMESPACE_GONE, id="namespace terminating"),
        pytest.param(
            404, "NotFound", 'namespaces "team" not found', Refusal.NAMESPACE_GONE, id="namespace gone"
        ),
        pytest.param(404, "NotFound", "the server could not find it", Refusal.RETRY, id="404"),
        pytest.param(422, "Invalid", FENCE, Refusal.RETRY, id="fence as 422"),
        pytest.param(403, "Forbidden", FENCE, Refusal.RETRY, id="fence as 403"),
        pytest.param(401, "Unauthorized", "Unauthorized", Refusal.RETRY, id="401"),
        pytest.param(408, "Timeout", "timed out", Refusal.RETRY, id="408"),
        pytest.param(429, "TooManyRequests", "slow down", Refusal.RETRY, id="429"),
        pytest.param(500, "InternalError", 'failed calling webhook "x"', Refusal.RETRY, id="500"),
        pytest.param(503, "ServiceUnavailable", "etcdserver: leader changed", Refusal.RETRY, id="503"),
        pytest.param(504, "Timeout", "request did not complete", Refusal.RETRY, id="504"),
    ],
)
def test_refusals(status: int, reason: str, message: str, expected: Refusal) -> None:
    assert classify_refusal(status, reason, message) is expected
