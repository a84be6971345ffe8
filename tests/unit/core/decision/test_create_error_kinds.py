"""What an API server's refusal means: try later, skip the slot, look at what is there, or stop."""

from __future__ import annotations

import pytest

from sundial_core.decision.create_error_kinds import CreateErrorKind, classify_create_error

FORBIDDEN = 'jobs.batch "tick-x" is forbidden: '
TERMINATING = FORBIDDEN + "unable to create new content in namespace team because it is being terminated"
FENCE = "ValidatingAdmissionPolicy 'sundial-fence.a.b' with binding 'sundial-fence.a.b' denied request"
AUTHORISER = FORBIDDEN + 'User "x" cannot create resource "jobs" in API group "batch" in the namespace "team"'
QUOTA = FORBIDDEN + "exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=1"
CONFLICT = 'Operation cannot be fulfilled on resourcequotas "few": the object has been modified'


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        pytest.param(
            409, "AlreadyExists", 'jobs.batch "tick-x" already exists', CreateErrorKind.EXISTS, id="exists"
        ),
        pytest.param(
            409,
            "AlreadyExists",
            'object is being deleted: jobs.batch "x" already exists',
            CreateErrorKind.EXISTS,
            id="going",
        ),
        pytest.param(409, "Conflict", CONFLICT, CreateErrorKind.RETRY, id="quota in conflict"),
        pytest.param(400, "BadRequest", "admission webhook denied", CreateErrorKind.REJECTED, id="400"),
        pytest.param(422, "Invalid", "spec.template: Invalid value", CreateErrorKind.REJECTED, id="422"),
        pytest.param(
            413, "RequestEntityTooLarge", "limit is 3145728", CreateErrorKind.REJECTED, id="too large"
        ),
        pytest.param(
            403,
            "Forbidden",
            'admission webhook "x" denied the request: no',
            CreateErrorKind.REJECTED,
            id="webhook",
        ),
        pytest.param(
            403, "Forbidden", FORBIDDEN + "violates PodSecurity", CreateErrorKind.REJECTED, id="plugin"
        ),
        pytest.param(403, "Forbidden", AUTHORISER, CreateErrorKind.RETRY, id="authoriser"),
        pytest.param(403, "Forbidden", QUOTA, CreateErrorKind.RETRY, id="quota"),
        pytest.param(
            403, "Forbidden", "not yet ready to handle request", CreateErrorKind.RETRY, id="not yet ready"
        ),
        pytest.param(
            403, "Forbidden", TERMINATING, CreateErrorKind.NAMESPACE_GONE, id="namespace terminating"
        ),
        pytest.param(
            404,
            "NotFound",
            'namespaces "team" not found',
            CreateErrorKind.NAMESPACE_GONE,
            id="namespace gone",
        ),
        pytest.param(404, "NotFound", "the server could not find it", CreateErrorKind.RETRY, id="404"),
        pytest.param(422, "Invalid", FENCE, CreateErrorKind.RETRY, id="fence as 422"),
        pytest.param(403, "Forbidden", FENCE, CreateErrorKind.RETRY, id="fence as 403"),
        pytest.param(401, "Unauthorized", "Unauthorized", CreateErrorKind.RETRY, id="401"),
        pytest.param(408, "Timeout", "timed out", CreateErrorKind.RETRY, id="408"),
        pytest.param(429, "TooManyRequests", "slow down", CreateErrorKind.RETRY, id="429"),
        pytest.param(500, "InternalError", 'failed calling webhook "x"', CreateErrorKind.RETRY, id="500"),
        pytest.param(
            503, "ServiceUnavailable", "etcdserver: leader changed", CreateErrorKind.RETRY, id="503"
        ),
        pytest.param(504, "Timeout", "request did not complete", CreateErrorKind.RETRY, id="504"),
    ],
)
def test_refusals(status: int, reason: str, message: str, expected: CreateErrorKind) -> None:
    assert classify_create_error(status, reason, message) is expected
