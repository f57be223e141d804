#!/usr/bin/env bash
# Build the project's environment in .venv, with the `sim2seq` command. A second call does nothing until versions change.
#
#     ./setup.sh            PYTHON=python3.12 ./setup.sh  takes another interpreter
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }
for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if fits "$python"; then break; fi
    if [ "$python" = python3.11 ] || [ -n "${PYTHON:-}" ]; then
        echo "setup.sh: expected Python 3.11, 3.12 or 3.13, found $("${PYTHON:-python3}" --version 2>&1); set PYTHON=/path/to/it" >&2
        exit 2
    fi
done

exec 9> .setup.lock
if command -v flock >/dev/null; then flock 9; fi

wanted="$(cat setup.sh requirements.txt pyproject.toml | cksum) $PWD"
if [ "$(cat .venv/built-from 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi

if [ -t 1 ]; then quiet=(); else quiet=(--quiet); fi
echo "setup.sh: building .venv (one to three minutes, about 2 GB)"
"$python" -m venv .venv || {
    echo "setup.sh: $python cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)" >&2
    exit 2
}
# compat: a plain path entry; the default import hook costs each simulation's start 15 ms
.venv/bin/python -m pip install "${quiet[@]}" --disable-pip-version-check --editable '.[test]' \
    --config-settings editable_mode=compat

if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    version="$(.venv/bin/python -c 'import importlib.metadata as m; print(m.version("tensorflow-cpu"))' 2>/dev/null || true)"
    if [ -n "$version" ]; then
        echo "setup.sh: an NVIDIA GPU is here, taking TensorFlow's GPU build"
        .venv/bin/python -m pip uninstall --quiet --yes tensorflow-cpu
        .venv/bin/python -m pip install "${quiet[@]}" --disable-pip-version-check "tensorflow[and-cuda]==$version"
    fi
fi

echo "$wanted" > .venv/built-from
echo "setup.sh: done; 'source .venv/bin/activate' puts sim2seq, merlin and jupyter on your PATH"
