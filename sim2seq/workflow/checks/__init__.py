"""Checks: what is known to break a study silently, looked for before it starts; one line a problem, with what to do.

Not here: what a running study says of itself. Knows specs, this machine and Merlin; nothing of a study
that runs.
"""
