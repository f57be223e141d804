"""What a parameter generator would do with its arguments, said without running it."""

import pytest

from sim2seq.workflow.checks.generators import generator_problems

IGNORES = "--runs (or --pargs NUM_STUDIES): {path} does not read the argument NUM_STUDIES; it reads "


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("return 1", "none"),
        ("return kwargs['SEED'], kwargs.get('SIDE', 8), 'ODD' in kwargs", "ODD, SEED, SIDE"),
    ],
)
def test_arguments_that_a_generator_ignores_are_named(tmp_path, body, read):
    path = tmp_path / "pgen.py"
    path.write_text(f"def get_custom_generator(env, **kwargs):\n    {body}\n")
    assert generator_problems(str(path), ["NUM_STUDIES"]) == [IGNORES.format(path=path) + read]
    assert generator_problems(str(path), [] if read == "none" else read.split(", ")) == []


@pytest.mark.parametrize(
    "text",
    [
        "def get_custom_generator(env, **kwargs):\n    return other(**kwargs)",
        "def get_custom_generator(env, **kwargs):\n    return [kwargs[name] for name in ('A', 'B')]",
        "def get_custom_generator(env, **kwargs):\n    return int(kwargs.pop('NUM_STUDIES'))",
        "def get_custom_generator(env, NUM_STUDIES=3, **kwargs):\n    return NUM_STUDIES",
        "get_custom_generator = other",
    ],
)
def test_a_generator_that_may_read_any_argument_is_taken(tmp_path, text):
    (tmp_path / "pgen.py").write_text(text)
    assert generator_problems(str(tmp_path / "pgen.py"), ["NUM_STUDIES"]) == []
