"""Foreign: files that other programs wrote, read as runs: tables (CSV, Parquet) and arrays (NetCDF, HDF5, Zarr, npz).

Not here: this package's own formats (data), where runs are kept (store). Imports data and _support only.
"""
