"""The schema of a Job template: batch/v1 as an API server publishes it, reduced to what a CRD can hold.

Left out: descriptions (with them client-side apply would not fit), defaults (Jobs get them from the API
server) and enums (newer values must pass).
"""

from __future__ import annotations

from copy import deepcopy

from sundial_core.crds.structural import int_or_string
from sundial_core.resources.cel import Rule, forbidden, validations
from sundial_core.resources.raw import JsonObject

ROOT = "io.k8s.api.batch.v1.JobTemplateSpec"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
KEPT = ("type", "format", "required", "x-kubernetes-list-type", LIST_MAP_KEYS, "x-kubernetes-map-type")

STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
EMBEDDED_METADATA = {
    "type": "object",
    "properties": {
        "annotations": STRINGS,
        "labels": STRINGS,
        # kubectl before 1.34 writes `creationTimestamp: null` into generated templates
        "creationTimestamp": {"type": "string", "format": "date-time", "nullable": True},
    },
}
# int-or-string would refuse the JSON number in `cpu: 0.5`, which batch/v1 takes
QUANTITY = {
    "x-kubernetes-preserve-unknown-fields": True,
    "maxProperties": 0,
    "maxItems": 0,
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
}

RETRY_INSTEAD = "use retry of the ScheduledJob instead: each attempt is a Job of its own"
REFUSED: tuple[Rule, ...] = (
    forbidden("ttlSecondsAfterFinished", "use history of the ScheduledJob instead: it says what is kept"),
    forbidden("backoffLimit", RETRY_INSTEAD),
    forbidden("backoffLimitPerIndex", RETRY_INSTEAD),
    forbidden("maxFailedIndexes", RETRY_INSTEAD),
    forbidden(
        "activeDeadlineSeconds",
        "use timeoutSeconds of the ScheduledJob or defaultTimeoutSeconds of the TaskFunction instead",
    ),
    forbidden(
        "podReplacementPolicy", "remove it: Sundial replaces Pods by attempts, see retry of the ScheduledJob"
    ),
    forbidden("podFailurePolicy", "remove it: Sundial sets its own; use retry of the ScheduledJob instead"),
    forbidden("suspend", "use suspend of the ScheduledJob instead"),
    forbidden("managedBy", "remove it: the Job controller of the cluster runs the Jobs of Sundial"),
    forbidden("selector", "remove it: Kubernetes selects the Pods of each Job by itself"),
    forbidden("manualSelector", "remove it: Kubernetes selects the Pods of each Job by itself"),
)


def reduce_template(document: JsonObject) -> JsonObject:
    """Reduce an API server's /openapi/v3/apis/batch/v1 to the plain schema of JobTemplateSpec."""
    schemas: JsonObject = document["components"]["schemas"]
    return _reduce(schemas[ROOT], schemas)


def narrow_template(template: JsonObject) -> JsonObject:
    """Add what Sundial asks of a template: containers, restartPolicy Never, and none of its own fields."""
    narrowed = deepcopy(template)
    job = narrowed["properties"]["spec"]
    pods = job["properties"]["template"]
    pod = pods["properties"]["spec"]["properties"]
    narrowed["required"] = pods["required"] = ["spec"]
    job |= validations(*REFUSED)
    pod["containers"]["minItems"] = 1
    pod["restartPolicy"]["enum"] = ["Never"]
    return narrowed


def _reduce(schema: JsonObject, schemas: JsonObject) -> JsonObject:
    if "allOf" in schema:
        (schema,) = schema["allOf"]
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return EMBEDDED_METADATA if name == OBJECT_META else _reduce(schemas[name], schemas)
    if schema.get("format") == "int-or-string":
        return int_or_string()
    if "oneOf" in schema:
        return QUANTITY
    return _reduce_plain(schema, schemas)


def _reduce_plain(schema: JsonObject, schemas: JsonObject) -> JsonObject:
    out = {key: schema[key] for key in KEPT if key in schema}
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = _reduce(schema[key], schemas)
    if "properties" in schema:
        out["properties"] = {name: _reduce(field, schemas) for name, field in schema["properties"].items()}
    if LIST_MAP_KEYS in out:
        _default_keys(out, _target(schema["items"], schemas))
    return out


def _target(schema: JsonObject, schemas: JsonObject) -> JsonObject:
    (reference,) = schema.get("allOf", [schema])
    target: JsonObject = schemas[reference["$ref"].rsplit("/", 1)[1]]
    return target


def _default_keys(mapped: JsonObject, source: JsonObject) -> None:
    """Give each key of a list map its default: a structural schema wants keys required or defaulted."""
    for key in mapped[LIST_MAP_KEYS]:
        if key not in mapped["items"].get("required", ()):
            mapped["items"]["properties"][key]["default"] = source["properties"][key]["default"]
