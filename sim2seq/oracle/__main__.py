import sys

from sim2seq._support.command import run
from sim2seq.oracle.commands import main

sys.exit(run(main, name="sim2seq.oracle"))
