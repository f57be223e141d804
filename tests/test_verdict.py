"""What a failure shows in the terminal."""

from sim2seq import verdict


def test_errors_are_shown_short_and_harmless(tmp_path):
    path = tmp_path / "task.err"
    path.write_bytes(b"old\n" + b"x" * 100_000 + b"\n\x1b[31mred\x1b[0m \x07bell\rlast\n\n")
    assert verdict.last_lines(path) == ["x" * verdict.LINE_LENGTH, "red bell", "last"]
