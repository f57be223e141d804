#!/usr/bin/env bash
# Build the environment in .venv, with the `sim2seq` command. A second call does nothing until versions change.
#
#     ./setup.sh                     what every study needs
#     ./setup.sh test                also extras of pyproject.toml: the test tools, or a study's own packages
#     ./setup.sh --kernel            also register this environment with your Jupyter, as the kernel "sim2seq"
#     PYTHON=python3.12 ./setup.sh   with another interpreter
#
# Versions are those of requirements.lock on Linux x86-64, elsewhere the newest that requirements.txt allows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf 'setup.sh: %3d s  %s\n' "$SECONDS" "$*"; }
refuse() { echo "setup.sh: $*" >&2; exit 2; }

# --- which Python, which extras -----------------------------------------------------------------------------------
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }
for python in "${PYTHON:-.venv/bin/python}" python3 python3.13 python3.12 python3.11; do
    if fits "$python"; then break; fi
    if [ "$python" = python3.11 ] || [ -n "${PYTHON:-}" ]; then
        found="$("${PYTHON:-python3}" --version 2>&1 || true)"
        refuse "expected Python 3.11, 3.12 or 3.13, found $found; set PYTHON=/path/to/it"
    fi
done
minor='import pip, sys; print("%d.%d" % sys.version_info[:2])'
version="$("$python" -c "${minor/pip, /}")"

kernel=""
extras_asked=()
for word in "$@"; do
    case "$word" in --kernel) kernel=yes ;; *) extras_asked+=("$word") ;; esac
done
set -- ${extras_asked[@]+"${extras_asked[@]}"}
known="$(sed -n '/^\[project.optional-dependencies\]/,/^\[tool/s/^\([a-z0-9_]*\) = \[.*/\1/p' pyproject.toml | xargs)"
for extra in "$@"; do
    case " $known " in *" $extra "*) ;; *) refuse "$extra: expected --kernel, or extras of pyproject.toml: $known" ;; esac
done

register() {  # for every Jupyter of this user, wherever that is installed
    if [ -z "$kernel" ]; then return; fi
    .venv/bin/python -m ipykernel install --user --name sim2seq --display-name sim2seq
}

# --- nothing to do? -----------------------------------------------------------------------------------------------
exec 9> .setup.lock
if command -v flock >/dev/null && ! flock --nonblock 9; then
    say "another setup.sh is at work in this folder: waiting for its end"
    flock 9
fi
here="$(pwd -P)"
wanted="$(cat setup.sh requirements.txt requirements.lock pyproject.toml | cksum) Python $version $here"
{ read -r built && read -r had; } 2>/dev/null < .venv/built-from || { built="" had=""; }
extras="$(printf '%s\n' ${had:-} "$@" | sort -u | xargs)"  # what was there stays
if [ "$built" = "$wanted" ] && [ "$extras" = "$had" ]; then
    register
    exit 0
fi

# --- the environment, and what installs into it -------------------------------------------------------------------
case "$(uname -s) $(uname -m)" in
    "Linux x86_64") versions=requirements.lock ;;
    *) versions="requirements.txt (the lock is for Linux x86-64)" ;;
esac
say "Python $version, versions of $versions${extras:+, with extras: $extras}; about 2 GB in .venv"

usable() { [ "$(.venv/bin/python -c "$minor" 2>/dev/null)" = "$version" ]; }
if ! { grep --quiet --no-messages --fixed-strings " $here/.venv" .venv/pyvenv.cfg && usable; }; then
    say "making the environment"  # anew where it was moved or had another Python: its commands name both
    "$python" -m venv --clear .venv ||
        refuse "$python cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)"
fi

pip() { .venv/bin/python -m pip "$@" --disable-pip-version-check; }
if [ ! -x .venv/bin/uv ]; then
    say "downloading the installer, uv"
    pip install -qq --no-deps --constraint requirements.lock uv || say "no uv here: pip does it, which takes minutes"
fi
# uv has no eye for pip's configuration
index="${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}"
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi

uv() { .venv/bin/uv pip install --python .venv/bin/python "$@"; }  # it prefers an environment that is active
with_uv() {
    if [ -t 2 ]; then uv "$@"; return; fi
    uv "$@" 2>&1 | { grep --line-buffered -v '^ *[-+~] ' || true; }  # not a line for each package
}
with_pip() {
    say "installing with pip, a few minutes"
    if [ -t 1 ]; then pip install "$@"; else pip install -qq "$@"; fi
}
install() { { [ -x .venv/bin/uv ] && with_uv "$@"; } || with_pip "$@"; }

# --- packages -----------------------------------------------------------------------------------------------------
say "downloading and installing packages; what is large is named below"
names="${extras// /,}"
# compat: a plain path entry; the default import hook costs each simulation's start 15 ms
install --constraint requirements.lock --config-settings editable_mode=compat --editable ".${extras:+[${names//_/-}]}"

if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    ask='import importlib.metadata; print(importlib.metadata.version("tensorflow-cpu"))'
    release="$(.venv/bin/python -c "$ask" 2>/dev/null || true)"
    if [ -n "$release" ]; then
        say "an NVIDIA GPU is here: TensorFlow's GPU build takes the place of the other, 3 GB more"
        pip uninstall --quiet --yes tensorflow-cpu tensorflow 2>/dev/null  # both own the same files
        install --constraint requirements.lock "tensorflow[and-cuda]==$release"
    fi
fi

# Without this each process compiles what it imports, or does so again and again where PYTHONDONTWRITEBYTECODE is set.
say "compiling the packages' Python files, half a minute on two cores"
find .venv/lib/python*/site-packages -mindepth 1 -maxdepth 1 -print0 |
    xargs -0 -n 12 -P "$(getconf _NPROCESSORS_ONLN)" .venv/bin/python -m compileall -qq -x '/tests?/' ||
    true  # some of them are templates and cannot be compiled

printf '%s\n%s\n' "$wanted" "$extras" > .venv/built-from
register
say "done; 'source .venv/bin/activate' puts sim2seq, merlin and jupyter on your PATH"
