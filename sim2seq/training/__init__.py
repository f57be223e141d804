"""Training: settings, tasks, fit and resume, and the folder that a training leaves.

Not here: figures and pages (report), stores (whoever calls hands over an Ensemble). Imports evaluation and below.
"""
