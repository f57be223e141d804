#!/usr/bin/env python
"""Ingest the finished run(s) below a folder into the study's Kosh store; safe with many processes at once.

    python dsv_to_kosh.py RUN_DIR ensembles_output.sqlite

Reads every record (*.dsv) and every array file of many runs (*.h5) below RUN_DIR. All runs of one call go in together
or not at all; when it exits with 0 they are on disk. A run that is in the store already changes nothing; one with the
same id and other content is an error.
"""

import sys

from sim2seq._support.command import Parser, run


def main():
    from sim2seq.store.files import ingest_folder

    parser = Parser(description="Ingest the finished run(s) below a folder into the study's Kosh store.")
    parser.add_argument("run_dir", metavar="RUN_DIR", help="folder with *.dsv or *.h5 files, at any depth")
    parser.add_argument("store", metavar="STORE", help="Kosh store made by create_store.py")
    parser.add_argument("--replace", action="store_true", help="overwrite runs stored with other content")
    arguments = parser.parse_args()
    counts = ingest_folder(arguments.run_dir, arguments.store, replace=arguments.replace)
    print(f"{arguments.store}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    sys.exit(run(main))
