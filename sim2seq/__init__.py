"""sim2seq: from an ensemble of simulations to a validated sequence model.

The modules, in the order of the pipeline (import the one you need; this file stays light):

    ensemble     Ensemble: arrays with names, units and run ids
    sampling     joint space-filling samples of named ranges; the Maestro adapter
    records      read, check and write one run's record
    store        create, ingest, load: the Kosh store
    windows      split by run or in time, scaling, windows without copies
    terms        the linear part of a model: terms, walls, closed-form fit
    models       model builders; the MODELS table
    settings     the settings of a training
    callbacks    what Keras' own callbacks do not do
    files        files that appear whole or not at all, and the note of how far a task is
    training     fit, save, load: model, scaling, settings, split and scores travel together
    forecast     closed-loop rollout
    baselines    what any model must beat
    uncertainty  the band around a forecast
    checks       the laws that a ball's forecast must obey
    metrics      scores
    surrogate    use it: a forecast with its band from a saved folder
    sweep        train over a grid of settings, rank the results
    leaderboard  its figure
    figures      one function a figure
    report       the self-contained HTML page
    notebook     one notebook, in Jupyter and as a study's last step

    orchestrate  run a Merlin study on this machine, in rounds:
        preflight    what would break it silently
        broker       a private message broker
        messages     Merlin's messages, kept small
        guard        nothing it starts outlives it
        rounds       one broker, its workers, one queueing
        plan         the study's tasks and what depends on what
        progress     how far it is, read and shown
        verdict      failures and summary

    cli          the `sim2seq` command
    command      what every command line of the project shares
"""
