"""sim2seq: from an ensemble of simulations to a validated sequence model.

    sample -> simulate -> ingest -> windows -> train -> rollout -> score against baselines -> report

The names below are all that most people need; docs/library.md shows them at work. Each is imported when it is first
asked for, so `import sim2seq` costs nothing. The rooms, each importing only those below it:

    cli, study, surrogate, sweep, notebook   the public face
    oracle/       whether a run is worth finishing, and who asks
    workflow/     run a Merlin study on this machine, or wait for one elsewhere
    report/       figures, film, the HTML page, the leaderboard's picture
    training/     settings, tasks, fit and resume
    evaluation/   scores, baselines, calibrated bands
    models/       builders and their table, rollout
    store/        the Kosh store: one protocol, its backends
    data/         Ensemble, splits, windows, records and array files
    _support/     command lines, config words, files: no science
"""

PUBLIC = {  # name -> (module, its name there); docs/library.md shows them at work
    "Ensemble": ("data.ensemble", "Ensemble"),
    "windows_of": ("data.windows", "windows_of"),
    "load_store": ("store.store", "load"),
    "Study": ("training.study", "Study"),
    "load_study": ("study", "load_study"),
    "Forecast": ("training.forecast", "Forecast"),
    "PerStep": ("training.targets", "PerStep"),
    "PerRun": ("training.targets", "PerRun"),
    "NextSymbol": ("training.symbols", "NextSymbol"),
    "Settings": ("training.settings", "Settings"),
    "TargetSettings": ("training.settings", "TargetSettings"),
    "SymbolSettings": ("training.settings", "SymbolSettings"),
    "fit": ("training.fit", "fit"),
    "load_training": ("training.folder", "load"),
    "load_surrogate": ("surrogate", "load"),
    "rollout": ("models.rollout", "rollout"),
    "Oracle": ("oracle.stopping", "Oracle"),
    "Goal": ("oracle.stopping", "Goal"),
    "Rule": ("oracle.stopping", "Rule"),
    "OraclePruner": ("oracle.pruning", "OraclePruner"),
    "OracleStopping": ("oracle.ending", "OracleStopping"),
    "draw": ("report.figures", "draw_all"),
    "film": ("report.film", "film"),
    "write_report": ("report.report", "write_report"),
    "open_study": ("notebook", "open_study"),
}

WITHOUT_KERAS = ("data.ensemble", "store.store", "surrogate", "oracle.stopping")

__all__ = list(PUBLIC)


def __getattr__(name: str):
    if name not in PUBLIC:
        raise AttributeError(f"module 'sim2seq' has no {name!r}; it has: {', '.join(PUBLIC)}")
    import importlib

    module, there = PUBLIC[name]
    if module not in WITHOUT_KERAS:
        from sim2seq._support import keras_settings

        keras_settings.check()
    found = getattr(importlib.import_module(f"sim2seq.{module}"), there)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
