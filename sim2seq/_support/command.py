"""What every command line of the project shares: errors in one line, exit code 2."""

import argparse
import os
import sys


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage text."""

    def __init__(self, **options):
        options.setdefault("formatter_class", argparse.ArgumentDefaultsHelpFormatter)
        super().__init__(**options)

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def say_in_any_encoding() -> None:
    """Let a terminal that has no sign for a letter show its number instead: a message must not end a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def plain(text, most: int = 2000) -> str:
    """A text in one line of up to `most` printable characters: what it quotes from a file upsets no terminal."""
    words = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in words[:most])


def run(main) -> int:
    """Call `main()`; its ValueError, OSError or MemoryError becomes one line on stderr and exit code 2."""
    say_in_any_encoding()
    try:
        return main() or 0
    except (ValueError, OSError, MemoryError) as error:
        print(f"{os.path.basename(sys.argv[0])}: {plain(error)}", file=sys.stderr)
        return 2
