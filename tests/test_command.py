"""What every command line shares: how it ends, and what its help says."""

import pytest

from sim2seq._support.command import Parser, run


@pytest.mark.parametrize(("error", "code", "said"), [
    (KeyboardInterrupt(), 130, "interrupted"),
    (ValueError("expected a,\n got b\x1b"), 2, "expected a, got b?"),
    (OSError("no room"), 2, "no room"),
])  # fmt: skip
def test_a_script_ends_with_a_line_and_its_code(error, code, said, monkeypatch, capsys):
    def main():
        raise error

    monkeypatch.setattr("sys.argv", ["somewhere/script.py"])
    assert run(main) == code
    assert capsys.readouterr().err == f"script.py: {said}\n"


def test_a_script_that_says_nothing_ends_with_0():
    assert run(lambda: None) == 0


def test_a_help_names_the_defaults_that_there_are():
    parser = Parser(prog="script")
    parser.add_argument("--output", help="where")
    parser.add_argument("--again", action="store_true", help="once more")
    parser.add_argument("--words", nargs="*", default=[], help="some")
    parser.add_argument("--runs", default=0, help="how many")
    text = parser.format_help()
    assert "how many (default: 0)" in text
    assert text.count("default") == 1


def test_words_may_stand_between_options_where_they_are_taken(capsys):
    parser = Parser(prog="script")
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--again", action="store_true")
    with pytest.raises(SystemExit):
        parser.parsed(["a", "--again", "b"])
    parser.set_defaults(words="settings")
    assert parser.parsed(["a", "--again", "b"]).settings == ["a", "b"]
    with pytest.raises(SystemExit):
        parser.parsed(["a", "--other"])
    refused = "script: unrecognized arguments: {} (see script --help)\n"
    assert capsys.readouterr().err == refused.format("b") + refused.format("--other")
