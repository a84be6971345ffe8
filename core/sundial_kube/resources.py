"""Which resources Sundial reads and writes, and their paths at the API server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the Kubernetes API."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The apiVersion of its manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, ns: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of a collection (all namespaces when `ns` is None), object or subresource."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if ns is not None:
            parts += ["namespaces", ns]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


GROUP = "sundial.dev"
SCHEDULED_JOBS = Resource(GROUP, "v1alpha1", "scheduledjobs", "ScheduledJob")
TASK_FUNCTIONS = Resource(GROUP, "v1alpha1", "taskfunctions", "TaskFunction")
SCHEDULED_JOB_RUNS = Resource(GROUP, "v1alpha1", "scheduledjobruns", "ScheduledJobRun")
LEADER_TERMS = Resource(GROUP, "v1alpha1", "leaderterms", "LeaderTerm")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
JOBS = Resource("batch", "v1", "jobs", "Job")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")
SELF_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
NEW_EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
