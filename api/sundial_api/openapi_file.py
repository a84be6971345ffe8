"""Writes the OpenAPI document to docs/openapi.json, or checks with `--check` that the file is up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sundial_api.http.openapi import write_document
from sundial_api.main import build_application
from sundial_api.settings import ApiSettings, AuthMode

PLACE = Path("docs/openapi.json")


def main() -> None:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(prog="python -m sundial_api.openapi_file", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the file is not current")
    settings = ApiSettings(database_url="postgresql://nowhere/sundial", auth=AuthMode.NONE)
    document = write_document(build_application(settings))
    if not parser.parse_args().check:
        PLACE.write_bytes(document)
    elif not PLACE.exists() or PLACE.read_bytes() != document:
        sys.exit(f"{PLACE} is not what the API offers; run make generate")


if __name__ == "__main__":
    main()
