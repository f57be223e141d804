"""What every command line of the project shares: errors in one line, exit code 2."""

import argparse
import os
import sys


class Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """A help that names defaults where there are any: "(default: None)" tells nobody anything."""

    def _get_help_string(self, action):
        nothing = action.default is None or action.default is False or action.default == []
        return action.help if nothing else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage text."""

    def __init__(self, **options):
        options.setdefault("formatter_class", Defaults)
        super().__init__(**options)

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parsed(self, arguments=None) -> argparse.Namespace:
        """The arguments of a command; words may stand between options where the command says which list (`words`)."""
        asked, more = self.parse_known_args(arguments)
        if more and ("words" not in asked or any(word.startswith("-") for word in more)):
            self.error(f"unrecognized arguments: {' '.join(more)}")
        if more:
            getattr(asked, asked.words).extend(more)
        return asked


def say_in_any_encoding() -> None:
    """Let a terminal that has no sign for a letter show its number instead: a message must not end a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def plain(text, most: int = 2000) -> str:
    """A text in one line of up to `most` printable characters: what it quotes from a file upsets no terminal."""
    words = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in words[:most])


def run(main, name: str | None = None) -> int:
    """Call `main()`: bad input (ValueError, OSError, MemoryError) ends in a line on stderr and 2, Ctrl-C in 130."""
    say_in_any_encoding()
    name = name or os.path.basename(sys.argv[0])
    try:
        return main() or 0
    except (ValueError, OSError, MemoryError) as error:
        print(f"{name}: {plain(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
