"""Write `crds/*.yaml` from the models; with --check, show what differs and exit 1.

For a newer Kubernetes: kubectl get --raw /openapi/v3/apis/batch/v1 | python -m sundial_core.crds --refresh -
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path

from sundial_core.crds.definitions import KINDS, build_definition
from sundial_core.crds.job_template import reduce_template
from sundial_core.crds.yaml_files import build_document, compact_size
from sundial_core.resources.raw import JsonObject

TEMPLATE_FILE = Path(__file__).with_name("job_template.schema.json")


def main() -> int:
    """Run the command line and return its exit code."""
    options = _parse_arguments()
    if options.refresh:
        template = reduce_template(json.load(options.refresh))
        TEMPLATE_FILE.write_text(json.dumps(template, separators=(",", ":")) + "\n")
    definitions = _build_definitions(options.folder)
    return _check(definitions) if options.check else _write(definitions)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sundial_core.crds", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("crds"), help="where the CRDs are (crds)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    parser.add_argument(
        "--refresh", type=argparse.FileType(), metavar="FILE", help="batch/v1 OpenAPI to take"
    )
    return parser.parse_args()


def _build_definitions(folder: Path) -> dict[Path, JsonObject]:
    template = json.loads(TEMPLATE_FILE.read_text())
    return {folder / f"{kind.plural}.yaml": build_definition(kind, template) for kind in KINDS}


def _write(definitions: dict[Path, JsonObject]) -> int:
    for path, definition in definitions.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(build_document(definition))
        print(f"{path}: {compact_size(definition)} bytes as compact JSON")
    return 0


def _check(definitions: dict[Path, JsonObject]) -> int:
    differences = [line for path, definition in definitions.items() for line in _difference(path, definition)]
    sys.stdout.writelines(differences)
    return 1 if differences else 0


def _difference(path: Path, definition: JsonObject) -> list[str]:
    stored = path.read_text() if path.exists() else ""
    wanted = build_document(definition)
    return list(
        difflib.unified_diff(
            stored.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            str(path),
            f"{path} (generated)",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
