"""The `sim2seq` command.

sim2seq run SPEC --pgen FILE --runs N     a whole study on this machine
sim2seq run STUDY_FOLDER                  go on with an unfinished one
sim2seq check STORE MERLIN_INFO           is every run of the study in the store?
sim2seq doctor [SPEC]                     can a study run here?
"""

import os
import sys
from pathlib import Path

from sim2seq import command


def add_run(parser) -> None:
    parser.add_argument("target", metavar="SPEC", help="a Merlin spec, or the folder of an unfinished study")
    parser.add_argument("--pgen", metavar="FILE", help="parameter generator, as for merlin run")
    parser.add_argument("--runs", type=int, metavar="N", help="number of runs: NUM_STUDIES of the generator")
    parser.add_argument("--workers", type=int, metavar="N", help="simulations at once: CONCURRENCY of the spec")
    parser.add_argument("--pargs", action="append", default=[], metavar="K:V", help="for the generator, repeatable")
    parser.add_argument(
        "--vars",
        nargs="+",
        action="extend",
        default=[],
        metavar="K=V",
        help="variables of the spec; on going on, the steps that use them run again",
    )
    parser.add_argument("--output", metavar="DIR", help="where to make the study's folder: OUTPUT_PATH of the spec")


def run(arguments) -> int:
    from sim2seq import orchestrate

    options = vars(arguments)
    names = ("pgen", "runs", "workers", "pargs", "output")
    return orchestrate.run(options["target"], variables=options["vars"], **{name: options[name] for name in names})


def add_check(parser) -> None:
    parser.add_argument("store", metavar="STORE", help="the Kosh store of a study")
    parser.add_argument("merlin_info", metavar="MERLIN_INFO", help="the study's merlin_info folder")
    parser.add_argument("--allow", type=float, default=0.0, metavar="SHARE", help="share of runs that may be missing")
    parser.add_argument("--json", metavar="FILE", help="write expected, stored, missing and allowed to this file")


def check(arguments) -> int:
    from sim2seq.files import write_json
    from sim2seq.plan import expected_runs
    from sim2seq.store import missing_runs

    if not 0 <= arguments.allow <= 1:
        raise ValueError(f"--allow {arguments.allow}: expected a share from 0 to 1")
    expected = expected_runs(arguments.merlin_info)
    missing = missing_runs(arguments.store, expected)
    facts = {"expected": len(expected), "stored": len(expected) - len(missing)}
    facts |= {"missing": missing, "allowed": arguments.allow}
    if arguments.json:
        write_json(Path(arguments.json), facts)
    if missing:
        print(f"{len(missing)} of {len(expected)} runs are not in {arguments.store}:", file=sys.stderr)
        print("\n".join(missing), file=sys.stderr)
    return int(len(missing) > arguments.allow * len(expected) + 1e-9)  # 0.29 * 100 is less than 29


def add_doctor(parser) -> None:
    parser.add_argument("spec", nargs="?", metavar="SPEC", help="a Merlin spec to look at too")


def doctor(arguments) -> int:
    from sim2seq import preflight

    for name, version in preflight.package_versions().items():
        print(f"{name} {version or 'missing'}")
    problems = preflight.environment_problems()
    if arguments.spec:
        problems += preflight.spec_problems(preflight.read_spec(arguments.spec))
    problem = preflight.target_problem(os.getcwd(), 0)
    problems += [problem] if problem else []
    for problem in problems:
        print(f"sim2seq doctor: {problem}", file=sys.stderr)
    if not problems:
        print("a study can run here")
    return 2 if problems else 0


COMMANDS = {  # name: (arguments, function, help)
    "run": (add_run, run, "run a study on this machine, or go on with one"),
    "check": (add_check, check, "is every run of a study in the store?"),
    "doctor": (add_doctor, doctor, "look for what would break a study"),
}


def main(arguments: list[str] | None = None) -> int:
    """The exit code of `sim2seq ARGUMENTS`: 0 done, 1 not all of it, 2 bad input (one line each on stderr)."""
    parser = command.Parser(prog="sim2seq", description="From an ensemble of simulations to a sequence model.")
    parser.add_argument("--version", action="version", version=f"sim2seq {_version()}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_arguments, function, text) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        add_arguments(subparser)
        subparser.set_defaults(function=function, name=name)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.function(chosen)
    except (ValueError, OSError) as error:
        for line in str(error).splitlines():
            print(f"sim2seq {chosen.name}: {line}", file=sys.stderr)
        return 2


def _version() -> str:
    from importlib.metadata import version

    return version("sim2seq")


if __name__ == "__main__":
    sys.exit(main())
