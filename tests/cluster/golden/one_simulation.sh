#!/bin/bash
#SBATCH --job-name="Project/ID/associationb/ID"
#SBATCH --partition=standard
#SBATCH --account=polymers
#SBATCH --mem=3G
#SBATCH --time=120
#SBATCH --signal=B:USR1@120
#SBATCH --output="/project/slurm/%j.out"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mail-type=FAIL


cd /project || exit 1
export PATH=/python/bin:"$PATH"
export ISP_ENGINE=lammps
export ISP_CLUSTER=/project/cluster.toml
module load cuda/12.4 || exit 1
source "$HOME/env" isp


# Slurm signals this shell only: before the time limit (USR1), and when the job is cancelled (TERM).
# Simulations stop at USR1 with a checkpoint.
children=() asked='' signals=0 failed=0 stopped=0 held=0
pass_on() {
    asked=$1 signals=$((signals + 1))
    [ "${#children[@]}" -eq 0 ] || kill -USR1 "${children[@]}" 2>/dev/null
}
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM INT

# A signal ends `wait` before the child has left: wait again. One that came before the child was
# known is passed on now.
finish() {
    local seen=-1 now status=127
    [ -z "$asked" ] || kill -USR1 "$1" 2>/dev/null
    while [ "$seen" -ne "$signals" ]; do
        seen=$signals
        wait "$1"
        now=$?
        [ "$now" -eq 127 ] || status=$now
    done
    case $status in
        0) ;;
        75) held=$((held + 1)) ;;
        130 | 138 | 143) stopped=$((stopped + 1)) ;;
        *) failed=$((failed + 1)) ;;
    esac
}

# on_gpus FIRST NUMBER COMMAND...: with these of the job's GPUs only.
on_gpus() {
    local all
    IFS=, read -r -a all <<< "${CUDA_VISIBLE_DEVICES:-}"
    if [ "${#all[@]}" -gt "$2" ]; then
        CUDA_VISIBLE_DEVICES=$(IFS=,; echo "${all[*]:$1:$2}")
        export CUDA_VISIBLE_DEVICES
    fi
    exec "${@:3}"
}

# job(ID)
if [ -z "$asked" ]; then
    OMP_NUM_THREADS=1 /python/bin/python /isp-cgmd/project.py run -o job -j ID &
    children=($!)
    finish $!
else
    stopped=$((stopped + 1))
fi

if [ "$stopped" -gt 0 ]; then
    if [ "$asked" = USR1 ]; then
        scontrol requeue "$SLURM_JOB_ID" && echo 'Back in the queue, to be continued.' && exit 0
    fi
    echo "$stopped of 1 stopped before the end: submit again to continue."
fi
[ "$held" -eq 0 ] || echo "$held of 1 left to the process that runs it."
# To be continued is no failure.
[ "$failed" -eq 0 ]


# Submit command: sbatch
