#!/usr/bin/env bash
# One Slurm allocation for a study: workers on each of its nodes, until the study has ended.
#
#     merlin run ball_bounce_suite_merlin_lstm.yaml --pgen pgen_ensembles.py       queue it; this names STUDY_FOLDER
#     sbatch --nodes=4 --time=4:00:00 batch/slurm.sh STUDY_FOLDER                  as often as you like: workers join
#     sbatch --array=1-8 --time=1:00:00 batch/slurm.sh STUDY_FOLDER                eight allocations
#     sbatch --gpus=1 --time=1:00:00 batch/slurm.sh STUDY_FOLDER lstm-ball-bounce  workers for this step only
#
# Submit it from the folder with app.yaml, with the environment active. CONCURRENCY (tasks at once on a node) is the
# node's allocated cores, EVERY (seconds between two looks at the study) is 5, unless they are set: see docs/cluster.md.
# Exit code: 0 the study, or what is named of it, is complete; 1 tasks failed, or nobody is left to do them; 75 the time
# was up, and what is not done waits for other allocations.
#SBATCH --job-name=sim2seq --signal=B:USR1@120
set -euo pipefail
study="$(realpath "${1:?expected STUDY_FOLDER [STEP ...]}")" && shift
spec=("$study"/merlin_info/*.partial.yaml)
nodes="$SLURM_JOB_NUM_NODES"
variables=(BATCH=slurm "CONCURRENCY=${CONCURRENCY:-$SLURM_CPUS_ON_NODE}")
# --overlap: or one worker waits for the other; no binding: or all tasks of a worker may share one core
variables+=("WORKER_LAUNCH=srun --overlap --cpu-bind none -N $nodes -n $nodes")

stop() {  # one Ctrl-C for the workers, up to $1 seconds for them to end
    srun --overlap -N "$nodes" -n "$nodes" python -m sim2seq._support.allocation SLURM_JOB_ID || true
    for _ in $(seq "$1"); do
        kill -0 -- "-$workers" 2>/dev/null || exit "$code"
        sleep 1
    done
}

set -m  # a process group of their own for the workers, since `merlin run-workers` itself returns at once
merlin run-workers "${spec[0]}" --steps "${@:-all}" --vars "${variables[@]}" &
workers=$!
sim2seq wait "$study" "$@" --workers "$workers" --every "${EVERY:-5}" &
waiting=$!
trap 'kill "$waiting"' USR1 TERM  # Slurm, 120 s before the end; or you: scancel --batch --signal=USR1 JOB
code=0
wait "$waiting" || code=$?
if [ "$code" -gt 128 ]; then code=75; fi
kill "$workers" 2>/dev/null || true  # `merlin run-workers`, if it has not started them all yet
stop "${GRACE:-60}"  # they finish what they are at,
stop 30  # or put it back into the queue
kill -KILL -- "-$workers"  # or nothing helps
exit "$code"
