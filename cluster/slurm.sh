#!/usr/bin/env bash
# A sweep on Slurm: a Ray cluster over the job's nodes, the sweep on it, and both gone at the end.
#
#   sbatch cluster/slurm.sh jobs/hh_rlhf.yaml --storage /shared/sweeps
#
# Everything behind the YAML goes to `paretoflow run`. Three minutes before its time is over Slurm
# gives notice: the sweep saves what is in training, and the job goes back into the queue to go on.
# PARETOFLOW_REQUEUE=0 leaves it at that; sbatch it again whenever you like.
# Needs: `paretoflow` and `ray` on the PATH of every node, and a storage that every node sees.
#SBATCH --job-name=paretoflow
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

if (($# < 1)); then
  echo "usage: sbatch $0 JOB.yaml [options of paretoflow run]" >&2
  exit 2
fi

# the token is this job's own; the folder is one that every node sees
shared="${PARETOFLOW_SHARED_DIR:-$HOME/.paretoflow}/slurm-$SLURM_JOB_ID"
(umask 077 && mkdir -p "$shared" && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$shared/auth_token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$shared/auth_token"
export RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head="${nodes[0]}"
others=$((${#nodes[@]} - 1))
head_ip="$(srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address)"
head_ip="${head_ip%% *}"
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs may share a node
gpus="${SLURM_GPUS_ON_NODE:-0}"
size=(--num-cpus="${SLURM_CPUS_PER_TASK:-1}" --num-gpus="$gpus")

steps=()
# shellcheck disable=SC2329 # the trap calls it
finish() {
  trap - EXIT
  ((${#steps[@]} == 0)) || kill "${steps[@]}" 2> /dev/null || true
  wait
  rm -rf "$shared"
}
trap finish EXIT

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --block --node-ip-address="$head_ip" --port="$port" \
  --include-dashboard=false "${size[@]}" &
steps+=($!)
tries=0
until ray health-check --address "$head_ip:$port" 2> /dev/null; do
  if ((++tries > 60)) || ! kill -0 "${steps[0]}" 2> /dev/null; then
    echo "the Ray head on $head did not come up" >&2
    exit 1
  fi
  sleep "${PARETOFLOW_POLL_S:-2}"
done
if ((others > 0)); then
  srun --overlap --nodes="$others" --ntasks="$others" --ntasks-per-node=1 --exclude="$head" \
    ray start --block --address="$head_ip:$port" "${size[@]}" &
  steps+=($!)
fi

noticed=0
paretoflow run "$@" --address "$head_ip:$port" &
sweep=$!
trap 'noticed=1; kill -TERM "$sweep"' TERM
code=0
wait "$sweep" || code=$?
if ((noticed)); then # the notice ended `wait`, not the sweep
  wait "$sweep" || code=$?
  if [[ "${PARETOFLOW_REQUEUE:-1}" == 1 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
fi
exit "$code"
