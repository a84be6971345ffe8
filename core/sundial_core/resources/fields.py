"""What all models of the custom resources share: their base, and the fields that stay raw JSON."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel

from sundial_core.resources.cel import Rule
from sundial_core.resources.raw import JsonObject

WEEK_SECONDS = 604_800
JOB_TEMPLATE = "x-sundial-job-template"  # marks where the generator puts the typed batch/v1 JobTemplateSpec

JobTemplate = Annotated[JsonObject, WithJsonSchema({"type": "object", JOB_TEMPLATE: True})]
FreeObject = Annotated[
    JsonObject,
    WithJsonSchema(
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-map-type": "atomic"}
    ),
]

OBJECT_NAME = Rule(
    r"self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
    "must be the metadata.name of an object in this namespace: lower case letters, digits, - and .",
)


class Model(BaseModel):
    """A part of a custom resource: camelCase in JSON, snake_case here, unknown fields ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


M = TypeVar("M", bound=Model)


@lru_cache(maxsize=1024)
def share(model: M) -> M:
    """Return the first model that was equal to this one: of thousands of specs most say the same."""
    return model


SHARED = AfterValidator(share)
