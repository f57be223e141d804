"""What a training would read from a store: run ids and a checksum of all values. A stand-in for a training.

python digest.py STORE        writes digest.json
"""

import hashlib
import json
import sys
from pathlib import Path

from sim2seq.store import store


def digest(path) -> dict:
    """The ids of the store's runs, and the SHA-256 of their values."""
    ensemble = store.load(path)
    return {"runs": list(ensemble.run_ids), "values": hashlib.sha256(ensemble.values.tobytes()).hexdigest()}


if __name__ == "__main__":
    Path("digest.json").write_text(json.dumps(digest(sys.argv[1])))
