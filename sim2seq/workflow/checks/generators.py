"""Parameter generators: what can be said of one without running it, and what Maestro would lose while it runs."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

FUNCTION = "get_custom_generator"
RUNS_ARGUMENT = "NUM_STUDIES"  # the argument of a generator that --runs sets


def generator_problems(path: str, arguments: Iterable[str]) -> list[str]:
    """Why the generator at `path` cannot be used with arguments of these names, one line each."""
    try:
        tree = ast.parse(Path(path).read_text())
    except OSError as error:
        return [f"{path}: expected a parameter generator, {error.strerror}"]
    except (SyntaxError, UnicodeDecodeError) as error:
        return [f"{path}: expected a Python file, {error}"]
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    names |= {node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}  # imported
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if not names & {FUNCTION, "*"}:
        return [f"{path}: expected a function {FUNCTION}(env, **kwargs)"]
    read = _read_arguments(tree)
    unread = [name for name in arguments if read is not None and name not in read]
    given = {name: f"--pargs {name}" for name in unread} | {RUNS_ARGUMENT: f"--runs (or --pargs {RUNS_ARGUMENT})"}
    known = ", ".join(sorted(read or ())) or "none"
    return [f"{given[name]}: {path} does not read the argument {name}; it reads {known}" for name in unread]


def _read_arguments(tree: ast.Module) -> set[str] | None:
    """The names that the generator takes out of its arguments; None where it may read any."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if len(functions) != 1:
        return None
    function = functions[0]
    parameters = function.args
    read = {one.arg for one in [*parameters.args[1:], *parameters.kwonlyargs]}
    if parameters.kwarg is None:
        return read
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == parameters.kwarg.arg]
    plain = {id(name): key for node in ast.walk(function) for name, key in _plain_use(node)}
    if any(id(use) not in plain for use in uses):
        return None
    return read | {plain[id(use)] for use in uses}


def _plain_use(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """(name, key) of kwargs["KEY"], kwargs.get("KEY", ...), kwargs.pop("KEY", ...) and "KEY" in kwargs."""
    match node:
        case ast.Subscript(value=ast.Name() as name, slice=ast.Constant(value=str() as key)):
            yield name, key
        case ast.Call(
            func=ast.Attribute(value=ast.Name() as name, attr="get" | "pop"),
            args=[ast.Constant(value=str() as key), *_],
        ):
            yield name, key
        case ast.Compare(left=ast.Constant(value=str() as key), comparators=[ast.Name() as name]):
            yield name, key


@contextlib.contextmanager
def no_parameter_twice() -> Iterator[None]:
    """A generator that adds a parameter twice is refused, by ValueError: Maestro keeps the last and only logs it."""
    from maestrowf.datastructures.core import ParameterGenerator

    maestros = ParameterGenerator.add_parameter

    def add_parameter(self, key, *arguments, **options):
        if key in self.parameters:
            raise ValueError(f"parameter {key} is added twice, and Maestro would lose the first: expected it once")
        return maestros(self, key, *arguments, **options)

    ParameterGenerator.add_parameter = add_parameter
    try:
        yield
    finally:
        ParameterGenerator.add_parameter = maestros
