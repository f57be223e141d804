"""Rows: Sina's tables as SQL backends write and read them. Standard library only.

A task that imports Kosh and Sina spends a second before its first insert. tests/store_sql_laws.py holds the rows equal
to Sina's own, table by table.
"""

import json

from sim2seq.store.sina import ARRAYS, CURVE_SET, FOREIGN, ROW, StoreError, values_of

# the tables and columns that ingest writes; checked before the first write
COLUMNS = {
    "Record": ["id", "type", "raw"],
    "ScalarData": ["id", "name", "value", "tags", "units"],
    "StringData": ["id", "name", "value", "tags", "units"],
    "ListScalarData": ["id", "name", "min", "max", "tags", "units"],
    "CurveSetMeta": ["name", "id", "tags"],
    "Document": ["id", "uri", "mimetype", "tags"],
}
INDEX = [table for table in COLUMNS if table != "Record"]
IN_STORE = "SELECT id FROM CurveSetMeta WHERE name = :curve_set"
IN_FILES = "SELECT id FROM ScalarData JOIN Document USING (id) WHERE name = :row AND mimetype IN (:arrays, :foreign)"
RUN_IDS = f"{IN_STORE} UNION {IN_FILES}"
SOME_RUN = f"""
    SELECT * FROM ({IN_STORE} LIMIT 1) AS one UNION ALL SELECT * FROM ({IN_FILES} LIMIT 1) AS other LIMIT 1
"""
RUNS_BY = {"curve_set": CURVE_SET, "arrays": ARRAYS, "foreign": FOREIGN, "row": ROW}  # what these ask by
NUMBERS = "SELECT id, name FROM ScalarData"
RANGES = "SELECT id, name, min, max FROM ListScalarData"


def index_rows(records: list[dict]) -> dict[str, list[tuple]]:
    """Sina's search rows for entries, by table: numbers, words, the range of each curve, and files."""
    rows: dict[str, list[tuple]] = {table: [] for table in INDEX}
    for record in records:
        for table, some in index_rows_of(record).items():
            rows[table] += some
    return rows


def index_rows_of(record: dict) -> dict[str, list[tuple]]:
    name = record["id"]
    values = values_of(record["data"])
    curves = [{**lists["independent"], **lists["dependent"]} for lists in record["curve_sets"].values()]
    lists = {curve: each["value"] for series in curves for curve, each in series.items()}
    return {
        "ScalarData": [(name, key, value) for key, value in values.items() if not isinstance(value, str)],
        "StringData": [(name, key, value) for key, value in values.items() if isinstance(value, str)],
        # a training may have no epoch
        "ListScalarData": [(name, key, min(each), max(each)) for key, each in lists.items() if each],
        "CurveSetMeta": [(name, curve_set) for curve_set in record["curve_sets"]],
        "Document": [(name, uri, file["mimetype"]) for uri, file in record["files"].items()],
    }


def as_text(record: dict) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()


def parsed(path, name: str, raw) -> dict:
    """An entry's JSON. Raises StoreError where it is none."""
    try:
        record = json.loads(raw)
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: entry {name!r:.80}: expected Sina's JSON ({str(error)[:80]})") from error
    if not isinstance(record, dict):
        raise StoreError(f"{path}: entry {name!r:.80}: expected Sina's JSON, got {type(record).__name__}")
    return record
