"""Writing docs/run.schema.json: what ``leitstand run --json`` prints. Run as ``python -m flows.schema``."""

import json
from pathlib import Path

from leitstand.run_report import RunReport

PATH = Path(__file__).parent.parent / "docs" / "run.schema.json"


def run_schema() -> str:
    """Return the JSON schema as it stands in docs/."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunReport.model_json_schema(mode="serialization")}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(run_schema(), encoding="utf-8")
