"""Store: how runs and trainings are kept in a Kosh store, one protocol with its backends, and an Ensemble made of it.

Not here: the formats of files that come in (data), what is learned (training). Imports data and _support.
"""
