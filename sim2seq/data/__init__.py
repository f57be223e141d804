"""Data: Ensemble, splits, windows, records and array files, sampling, streaming: what runs are before anyone learns.

Not here: where runs are kept (store), what learns from them (models, training). Imports _support only.
"""
