"""What tests/daemons.sh unpacks works where it is, whatever the folder is called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAKES = {  # in the place of the network: apt-get "downloads" one package, in which dpkg-deb finds Erlang's start script
    "apt-get": 'for word; do case "$word" in Dir::Cache=*) touch "${word#*=}/archives/one.deb" ;; esac; done',
    "dpkg-deb": 'mkdir -p "$3/usr/lib/erlang/bin"; cp "$(dirname "$0")/erl" "$3/usr/lib/erlang/bin"',
    "erl": 'ROOTDIR=/usr/lib/erlang\nprintf "%s" "$ROOTDIR"',
}


@pytest.mark.skipif(not (shutil.which("flock") and shutil.which("timeout")), reason="daemons.sh needs them")
@pytest.mark.parametrize("name", ["plain", "with spaces", "a&b", "a|b", "a\\b", "$HOME", "it's"])
def test_erlang_is_found_in_a_folder_of_any_name(tmp_path, name):
    for tool, does in FAKES.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / tool).chmod(0o755)
    prefix = tmp_path / name / "rabbitmq"
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", HERE / "daemons.sh", prefix, "erlang-base"], env=environment, check=True)
    said = subprocess.run(["sh", prefix / "usr/lib/erlang/bin/erl"], capture_output=True, text=True, check=True)
    assert said.stdout == f"{prefix}/usr/lib/erlang"
