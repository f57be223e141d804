"""Candidates: what a combination may be made of, one file a kind, how they are weighed and how they are kept.

Not here: which ones learn, in what order and for how long (training). Imports models, data and _support.
"""
