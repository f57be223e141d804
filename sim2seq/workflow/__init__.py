"""Workflow: run a Merlin study on this machine, or wait for one elsewhere: broker, workers, rounds, plan, progress.

Not here: what the tasks do. It knows nothing of training or models. Imports store, data and _support.
"""
