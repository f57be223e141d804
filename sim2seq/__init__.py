"""sim2seq: from an ensemble of simulations to a validated sequence model.

    sample -> simulate -> ingest -> windows -> train -> rollout -> score against baselines -> report

The names below are all that most people need; docs/library.md shows them at work. Each is imported when it is first
asked for, so `import sim2seq` costs nothing. The rooms, each importing only those below it:

    cli, study, surrogate, sweep, notebook   the public face
    workflow/     run a Merlin study on this machine, or wait for one elsewhere
    report/       figures, the HTML page, the leaderboard's picture
    training/     settings, tasks, fit and resume
    evaluation/   scores, baselines, calibrated bands
    models/       builders and their table, rollout
    store/        the Kosh store: one protocol, its backends
    data/         Ensemble, splits, windows, records and array files
    _support/     command lines, config words, files: no science
"""
