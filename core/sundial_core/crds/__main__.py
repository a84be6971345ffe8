"""Write `crds/*.yaml` from the models; with --check, show what differs and exit 1.

For a newer Kubernetes: kubectl get --raw /openapi/v3/apis/batch/v1 | python -m sundial_core.crds --refresh -
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sundial_core.crds.definitions import KINDS, build_definition
from sundial_core.crds.generated_files import check_files, write_files
from sundial_core.crds.job_template import reduce_template
from sundial_core.crds.yaml_files import build_document
from sundial_core.resources.raw import JsonObject

TEMPLATE_FILE = Path(__file__).with_name("job_template.schema.json")


def main() -> int:
    """Run the command line and return its exit code."""
    options = _parse_arguments()
    if options.refresh:
        template = reduce_template(json.load(options.refresh))
        TEMPLATE_FILE.write_text(json.dumps(template, separators=(",", ":")) + "\n")
    files = {path: build_document(one) for path, one in _build_definitions(options.folder).items()}
    return check_files(files) if options.check else write_files(files)


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


if __name__ == "__main__":
    sys.exit(main())
