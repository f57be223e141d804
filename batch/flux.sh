#!/usr/bin/env bash
# One Flux allocation for a study: workers on each of its nodes, until the study has ended.
#
#     merlin run ball_bounce_suite_merlin_lstm.yaml --pgen pgen_ensembles.py       queue it; this names STUDY_FOLDER
#     flux batch --nodes=4 --time-limit=4h batch/flux.sh STUDY_FOLDER              as often as you like: workers join
#     flux batch --nodes=1 --nslots=1 --gpus-per-slot=1 --time-limit=1h \
#         batch/flux.sh STUDY_FOLDER lstm-ball-bounce                              workers for this step only
#
# Submit it from the folder with app.yaml, with the environment active. CONCURRENCY (tasks at once on a node) is the
# node's cores, EVERY (seconds between two looks at the study) is 5, unless they are set: see docs/cluster.md.
# Exit code: 0 the study, or what is named of it, is complete; 1 tasks failed, or nobody is left to do them; 75 the time
# was up, and what is not done waits for other allocations.
# flux: --job-name=sim2seq --exclusive
set -euo pipefail
study="$(realpath "${1:?expected STUDY_FOLDER [STEP ...]}")" && shift
spec=("$study"/merlin_info/*.partial.yaml)
# not Merlin's own `flux alloc --exclusive`: the second worker would wait for the first, and $(LAUNCHER) for both
variables=(BATCH=flux "CONCURRENCY=${CONCURRENCY:-$(nproc)}" "WORKER_LAUNCH=flux exec --noinput")
left=0  # no limit, to `timeout`
if [[ "$(flux job timeleft)" =~ ^[0-9]+ ]]; then  # not --signal: that goes to what $(LAUNCHER) runs, too
    left=$((BASH_REMATCH[0] > 120 ? BASH_REMATCH[0] - 120 : 1))
fi

stop() {  # one Ctrl-C for the workers, up to $1 seconds for them to end
    flux exec --noinput python -m sim2seq._support.allocation FLUX_URI || true
    for _ in $(seq "$1"); do
        kill -0 -- "-$workers" 2>/dev/null || exit "$code"
        sleep 1
    done
}

set -m  # a process group of their own for the workers, since `merlin run-workers` itself returns at once
merlin run-workers "${spec[0]}" --steps "${@:-all}" --vars "${variables[@]}" &
workers=$!
timeout "$left" sim2seq wait "$study" "$@" --workers "$workers" --every "${EVERY:-5}" &
waiting=$!
trap 'kill "$waiting"' HUP TERM  # `flux cancel`
code=0
wait "$waiting" || code=$?
if [ "$code" -eq 124 ] || [ "$code" -gt 128 ]; then code=75; fi
kill "$workers" 2>/dev/null || true  # `merlin run-workers`, if it has not started them all yet
stop "${GRACE:-60}"  # they finish what they are at,
stop 30  # or put it back into the queue
kill -KILL -- "-$workers"  # or nothing helps
exit "$code"
