"""Support: command lines, config words, files that appear whole, permissions, processes that end with us: no science.

Not here: whatever knows of runs, stores, models or Merlin. Imports no other room: the standard library and psutil, and
NumPy where an array is written.
"""
