"""Models: builders of Keras models, their table, and the rollout, in which a model is fed its own predictions.

Not here: loss, optimizer and files (training), errors (evaluation). Imports data and _support.
"""
