"""Image, command, environment and namespace, which the original's tables do not say: a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from sundial_core.resources.raw import JsonObject

SAMPLE = """\
# What the original's tables do not say, for sundial-import --templates FILE.
# Where functions and jobs go that name no other namespace; it has to be there.
namespace: scheduler

# By the type of the handler, as in the original's task_functions.handler_type.
handlers:
  celery_task:
    # The Celery application of the image, `module` or `module:attribute`; it may be left out where the
    # broker's address is in the environment.
    app: celery_app
    # A Job template, as in a CronJob. Its first container has the image with the code.
    template:
      spec:
        template:
          spec:
            containers:
              - name: main
                image: registry.example.com/backend:1.0
                envFrom:
                  - secretRef: {name: backend}
  async_function:
    template:
      spec:
        template:
          spec:
            containers:
              - name: main
                image: registry.example.com/backend:1.0
                env:
                  - name: DATABASE_URL
                    valueFrom: {secretKeyRef: {name: backend, key: database-url}}

# By the path of the function, or its beginning followed by .*; the longest that fits goes before the type.
paths:
  tasks.ad_sync_tasks.*:
    namespace: directory
    app: celery_app
    template:
      spec:
        template:
          spec:
            containers:
              - name: main
                image: registry.example.com/backend:1.0
                envFrom:
                  - secretRef: {name: backend}
                  - secretRef: {name: active-directory}
"""


class UnusableTemplates(ValueError):
    """The file cannot be used; the text says where and what to write."""


class FunctionTemplate(BaseModel):
    """How functions of a sort are run."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )

    template: JsonObject
    namespace: str | None = Field(None, min_length=1, max_length=63)
    app: str | None = Field(None, min_length=1)


class TemplatesFile(BaseModel):
    """The file: templates by handler type and by path."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    namespace: str = Field(min_length=1, max_length=63)
    handlers: Mapping[str, FunctionTemplate] = Field(default_factory=dict)
    paths: Mapping[str, FunctionTemplate] = Field(default_factory=dict)

    def find(self, handler_type: str, path: str) -> Place | None:
        """Find how a function is run: by its path, the longest beginning of it, else by its type."""
        fitting = [name for name in self.paths if _fits(name, path)]
        entry = self.paths[max(fitting, key=len)] if fitting else self.handlers.get(handler_type)
        return None if entry is None else Place(entry.namespace or self.namespace, entry.template, entry.app)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function goes, and how it is run there."""

    namespace: str
    template: JsonObject
    app: str | None = None


def _fits(name: str, path: str) -> bool:
    return name == path or (name.endswith(".*") and path.startswith(name[:-1]))


def read_templates(file: Path) -> TemplatesFile:
    """Read the file; raises UnusableTemplates."""
    try:
        return TemplatesFile.model_validate(yaml.safe_load(file.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableTemplates(f"{file} cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UnusableTemplates(f"{file} is no YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        said = [f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors()]
        raise UnusableTemplates(f"{file}: {'; '.join(said)}; see --print-templates") from error
