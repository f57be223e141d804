#!/usr/bin/env python
"""Create the study's Kosh store; a store that is there stays as it is.

python create_store.py ensembles_output.sqlite
"""

import sys

from sim2seq._support.command import Parser, run


def main():
    from sim2seq.store import store

    parser = Parser(description="Create the study's Kosh store; a store that is there stays as it is.")
    parser.add_argument("store", metavar="STORE", help="SQLite file to create, or a .url file that names a database")
    path = parser.parse_args().store
    made = store.create(path)
    print(f"{path}: {'created' if made else 'already a store, unchanged'}")


if __name__ == "__main__":
    sys.exit(run(main))
