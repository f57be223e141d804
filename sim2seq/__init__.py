"""sim2seq: from an ensemble of simulations to a validated sequence model.

The modules, in the order of the pipeline (import the one you need; this file stays light):

    ensemble     Ensemble: arrays with names, units and run ids
    sampling     joint space-filling samples of named ranges; the Maestro adapter
    tables       the parameter table of a large ensemble, and its batches
    records      read, check and write one run's record
    arrays       the same for many runs in one HDF5 file
    store        create, ingest, load: the Kosh store:
        entries        a run as Sina's JSON
        sqlite_store   in an SQLite file
        mariadb_store  in a MariaDB database
        database       the connection to it
        assembly       runs become an Ensemble
    streaming    how an ensemble larger than memory goes through a training
    windows      split by run or in time, scaling, windows without copies
    terms        the linear part of a model: terms, walls, closed-form fit
    models       model builders; the MODELS table
    settings     the settings of a training
    words        settings as people write them
    callbacks    what Keras' own callbacks do not do
    files        files that appear whole or not at all, and the note of how far a task is
    training     fit, save, load: model, scaling, settings, split and scores travel together
    forecast     closed-loop rollout
    baselines    what any model must beat
    uncertainty  the band around a forecast
    checks       the laws that a ball's forecast must obey
    metrics      scores
    surrogate    use it: a forecast with its band from a saved folder
    initial      what it goes on from, read from a file
    stranger     what comes from a stranger, checked before it is used
    sweep        train over a grid of settings, rank the results
    leaderboard  its figure
    figures      one function a figure
    style        what all figures share
    colours      of figures and films
    report       the self-contained HTML page
    page         what all reports share
    notebook     one notebook, in Jupyter and as a study's last step

    orchestrate  run a Merlin study on this machine, in rounds:
        asking       what was asked for: a new study, or one to go on with
        preflight    what would break it silently
        broker       a private message broker
        private      files and folders that other users cannot read or swap
        messages     Merlin's messages, kept small
        chords       a task that is delivered twice counts once
        guard        nothing it starts outlives it
        rounds       one broker, its workers, one queueing
        workers      Merlin's processes; workers that die are replaced
        loader       what a worker does not import
        plan         the study's tasks and what depends on what
        progress     how far it is, read and shown
        verdict      failures and summary
        waiting      the end of a study that workers elsewhere do
        allocation   the end of the workers of one batch job

    cli          the `sim2seq` command
    command      what every command line of the project shares
"""
