"""A study without its training, run with the command that a user would type, and what it wrote about itself."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
STORE = "create-initial-store/ensembles_output.sqlite"


def spec_without_training(spec, folder) -> Path:
    """A suite as far as the store: all steps but the last one, and the workers that serve them."""
    content = yaml.safe_load(Path(spec).read_text().replace("$(SPECROOT)", str(ROOT)))
    content["study"] = content["study"][:-1]
    content["merlin"]["resources"]["workers"]["other_worker"]["steps"] = [content["study"][0]["name"]]
    path = Path(folder, "suite_without_training.yaml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run_study(spec, folder, *options) -> dict:
    """Run the suite `spec` without its training below `folder`: its summary, folder, store, and the seconds of both
    steps, from the open store to the last ingest.
    """
    command = [Path(sys.executable).parent / "sim2seq", "run", spec_without_training(spec, folder)]
    subprocess.run([*map(str, command), *map(str, options), "--output", folder], check=True, stdout=sys.stderr)
    (study,) = (path.parent for path in Path(folder).glob("*/sim2seq_run.json"))
    summary = json.loads((study / "sim2seq_run.json").read_text())
    steps = summary["steps"]
    seconds = steps["ingest-ball-bounce"]["ended"] - steps["create-initial-store"]["ended"]
    return summary | {"folder": study, "store": study / STORE, "simulate_and_ingest": seconds}
