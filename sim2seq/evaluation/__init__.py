"""Evaluation: scores, baselines, intervals and calibrated bands, of predictions whoever made them.

Not here: how a model is trained or stored (training), how scores are drawn (report). Imports models, data, _support.
"""
