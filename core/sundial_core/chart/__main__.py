"""Write the chart's generated files and its README; with --check, show what differs and exit 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sundial_core.chart.policies import build_documents
from sundial_core.chart.values_page import build_values_page
from sundial_core.crds.generated_files import check_files, write_files


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m sundial_core.chart", description=__doc__)
    parser.add_argument("--crds", type=Path, default=Path("crds"), help="where the CRDs are (crds)")
    parser.add_argument(
        "--folder", type=Path, default=Path("charts/sundial"), help="where the chart is (charts/sundial)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args()
    files = options.folder / "files"
    crds = {files / "crds" / path.name: path.read_text() for path in sorted(options.crds.glob("*.yaml"))}
    policies = {files / "policies" / name: text for name, text in build_documents().items()}
    page = {options.folder / "README.md": build_values_page((options.folder / "values.yaml").read_text())}
    written = crds | policies | page
    return check_files(written) if options.check else write_files(written)


if __name__ == "__main__":
    sys.exit(main())
