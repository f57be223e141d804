"""Before the package on PYTHONPATH: from it jsonschema would build a grammar, three seconds in every plain `merlin`.

jsonschema goes on without it, and Merlin has no use for it. `sim2seq run` leaves it out by itself: workflow/loader.py.
"""

raise ImportError("left out of the tests")
