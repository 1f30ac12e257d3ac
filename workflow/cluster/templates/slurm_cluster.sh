{% extends "slurm.sh" %}
{% set cluster = resources.cluster %}
{% set request = resources.request %}
{% block preamble %}
#!/bin/bash
#SBATCH --job-name="{{ id }}"
    {% if request.partition %}
#SBATCH --partition={{ request.partition }}
    {% endif %}
    {% if request.account %}
#SBATCH --account={{ request.account }}
    {% endif %}
    {% if cluster.request_memory %}
#SBATCH --mem={{ request.memory }}G
    {% endif %}
#SBATCH --time={{ request.minutes }}
#SBATCH --signal=B:USR1@{{ cluster.stop_before_end }}
#SBATCH --output="{{ resources.output }}"
#SBATCH --open-mode=append
    {% if cluster.requeue %}
#SBATCH --requeue
    {% endif %}
{% endblock preamble %}
{% block tasks %}
#SBATCH --nodes=1
#SBATCH --ntasks={{ request.tasks }}
#SBATCH --cpus-per-task={{ request.cores_per_task }}
    {% if resources.gpu_option %}
#SBATCH {{ resources.gpu_option }}
    {% endif %}
    {% for option in request.options %}
#SBATCH {{ option }}
    {% endfor %}
{% endblock tasks %}
{% block project_header %}

cd {{ project.path|quote_argument }} || exit 1
export PATH={{ resources.python_folder|quote_argument }}:"$PATH"
    {% for name, value in resources.environment.items() %}
export {{ name }}={{ value|quote_argument }}
    {% endfor %}
    {% for module in cluster.modules %}
module load {{ module|quote_argument }} || exit 1
    {% endfor %}
    {% for line in cluster.prologue %}
{{ line }}
    {% endfor %}
{% endblock project_header %}
{% block custom_content %}
{% raw %}

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
{% endraw %}
{% endblock custom_content %}
{% block body %}
    {% for operation in operations %}
        {% set first, number = request.gpu_slots[loop.index0] %}
        {% set gpus = 'on_gpus %d %d ' % (first, number) if number else '' %}
        {% set prefix = 'OMP_NUM_THREADS=%d %s' % (request.threads[loop.index0], gpus) %}

# {{ "%s"|format(operation) }}
        {% if parallel %}
{{ prefix }}{{ resources.commands[loop.index0] }} &
children+=($!)
        {% else %}
if [ -z "$asked" ]; then
    {{ prefix }}{{ resources.commands[loop.index0] }} &
    children=($!)
    finish $!
else
    stopped=$((stopped + 1))
fi
        {% endif %}
    {% endfor %}
{% endblock body %}
{% block footer %}

    {% if parallel %}
for child in "${children[@]}"; do finish "$child"; done
    {% endif %}
if [ "$stopped" -gt 0 ]; then
    {% if cluster.requeue %}
    if [ "$asked" = USR1 ]; then
        scontrol requeue "$SLURM_JOB_ID" && echo 'Back in the queue, to be continued.' && exit 0
    fi
    {% endif %}
    echo "$stopped of {{ operations|length }} stopped before the end: submit again to continue."
fi
[ "$held" -eq 0 ] || echo "$held of {{ operations|length }} left to the process that runs it."
# To be continued is no failure.
[ "$failed" -eq 0 ]
{% endblock footer %}
