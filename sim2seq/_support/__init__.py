"""Support: command lines, config words, files that appear whole, files of parameters, permissions, processes that end
with us: no science.

Not here: whatever knows of runs, stores, models or Merlin. Imports no other room: the standard library and psutil,
NumPy where an array is written and PyYAML where YAML is read.
"""
