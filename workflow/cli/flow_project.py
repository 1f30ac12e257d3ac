"""How signac-flow's commands behave here: which operations run, and what is reported of errors."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

try:
    from flow import FlowProject, aggregator
    from flow.errors import NoSchedulerError, SubmitError, UserConditionError, UserOperationError
    from signac.job import Job
except ImportError as missing:
    # Nothing of this project can say it before these are there.
    print(
        f'error: a library is missing: {missing}. Use the Python of the environment that make test '
        'or conda env create -f environment.yml made (. .venv/bin/activate).',
        file=sys.stderr,
    )
    sys.exit(2)

from analysis.observables import OBSERVABLES
from user_input import (
    EXIT_USER_ERROR,
    UserError,
    count_of,
    environment_error,
    exits_on_user_error,
    nearest_name,
    shortened,
)
from workflow.cli.messages import show_messages
from workflow.cluster.environment import SlurmCluster as _  # noqa: F401 - known by being defined
from workflow.cluster.request import why_no_engine
from workflow.engines.errors import SimulationFailed
from workflow.engines.mpi import leading_or_following
from workflow.engines.settings import asked_ranks, started_ranks
from workflow.jobs import files as job_files
from workflow.jobs.failures import (
    clear_refusal,
    failed_among,
    is_failed,
    mark_failed_by_follower,
    read_failure,
    read_refusal,
    record_refusal,
)
from workflow.jobs.lock import EXIT_HELD, JobIsHeld, is_held
from workflow.jobs.progress import SECONDS_OF_SILENCE, read_progress
from workflow.jobs.workspace import (
    checked_project,
    jobs_by_sweep,
    recorded_sweeps,
    sweep_named,
)
from workflow.process import (
    EXIT_INTERRUPTED,
    STOP_SIGNALS,
    Interrupted,
    ignore_requests,
    leave_if_asked,
    leave_on_request,
    signal_of,
)
from workflow.stages.table import ENGINE_STAGES

_LOOK = 'python project.py failed says why, retry runs them again.'
_ENGINE_OPERATIONS = {stage.name for stage in ENGINE_STAGES}
FLOW_COMMANDS = ('status', 'next', 'run', 'submit', 'exec')
_KINDS: dict[int, type[Exception]] = {EXIT_HELD: JobIsHeld, EXIT_USER_ERROR: UserError}


# The jobs of each sweep, for what is done over all of them.
each_sweep = aggregator(jobs_by_sweep)


class JobProject(FlowProject):
    """A project whose failed jobs stop no others, and wait for `retry`."""

    # Operations that this process was asked to run: the analyses among them share one pass.
    selected: ClassVar[frozenset[str]] = frozenset()

    def run(self, jobs: Any = None, names: list[str] | None = None, **options: Any) -> None:
        """Run operations; see `_operations_named` for `names`. A failed job stops no other.

        Raises:
            JobIsHeld: At the end, if all went well but jobs that other processes run.
            SimulationFailed: At the end, if a job failed.
            UserError: At the end, if there was one with a job; at once, if `np` asks for several
                processes.
        """
        if options.get('np') not in (None, 1):
            raise UserError(
                'run --parallel waits for the slowest job after every operation, and does not stop '
                'well. Take python project.py simulate SWEEP --parallel N.'
            )
        chosen = list(self if jobs is None else jobs)
        before = _failed_ids(chosen)
        if before:
            print(
                f'{count_of(len(before), "job")} left out: failed before. {_LOOK}', file=sys.stderr
            )
        self._troubles: dict[type[Exception], set[str]] = {}
        super().run(jobs=jobs, names=self._select(names), **options)
        marked = _failed_ids(chosen) - before
        failed = marked | self._troubles.get(SimulationFailed, set())
        mistaken, held = (self._troubles.get(kind, set()) for kind in (UserError, JobIsHeld))
        if failed:
            what_next = _LOOK if marked else 'The next run resumes it.'
            raise SimulationFailed(f'{count_of(len(failed), "job")} failed. {what_next}')
        if mistaken:
            raise UserError(
                f'{count_of(len(mistaken), "job")} could not be run, as reported above.'
            )
        if held:
            raise JobIsHeld(f'{count_of(len(held), "job")} left to the process that runs them.')

    def _select(self, names: list[str] | None) -> list[str]:
        """List operations and groups to run; with an analysis, also what it needs before."""
        found = self._operations_named(names)
        if found is None:
            found = list(self.operations)
        operations = self._operations_in(found)
        chosen = [observable for observable in OBSERVABLES if observable.name in operations]
        before = ['production'] if chosen else []
        before += ['definitions'] if any(observable.defined_by for observable in chosen) else []
        found += [name for name in before if name not in operations]
        type(self).selected = frozenset(operations)
        return found

    @classmethod
    def _add_job_selection_args(cls, parser: Any) -> None:
        super()._add_job_selection_args(parser)
        parser.add_argument('--sweep', metavar='NAME', help='Only select the jobs of this sweep.')

    def _select_jobs_from_args(self, args: Any) -> Any:
        """Select jobs; by `run` and `submit`, none that is in no sweep unless named by its id."""
        sweep = vars(args).pop('sweep', None)  # signac-flow passes all others on
        chosen = super()._select_jobs_from_args(args)
        if sweep is not None:
            members = set(sweep_named(self, sweep)['jobs'])
        elif args.job_id or args.func not in (self._main_run, self._main_submit):
            return chosen
        else:
            members = {job for each in recorded_sweeps(self).values() for job in each['jobs']}
            outside = sum(job.id not in members for job in self)
            if not outside:
                return chosen
            print(
                f'{count_of(outside, "job")} of no sweep left out: -j JOB takes one all the same, '
                'python project.py prune removes them.',
                file=sys.stderr,
            )
        return [each for each in chosen if members.issuperset(job.id for job in each)]

    @contextmanager
    def _buffered(self) -> Iterator[None]:
        """Go through all jobs once, each as it is then."""
        job_files.listed.cache_clear()
        with super()._buffered():
            yield

    def _execute_operation(self, operation: Any, *options: Any) -> None:
        """Run one operation of `run`; an error of one job is reported, and stops no other."""
        try:
            super()._execute_operation(operation, *options)
        except UserOperationError as error:
            leave_if_asked()
            kind = _trouble(error.__cause__, operation._jobs)
            if kind is None:
                raise
            self._troubles.setdefault(kind, set()).update(job.id for job in operation._jobs)
        leave_if_asked()

    def submit(self, *, names: list[str] | None = None, **options: Any) -> None:
        """Submit operations; see `_operations_named` for `names`.

        UserError if simulations are among them, and this Python, in which they will run, has no
        engine for them.
        """
        found = self._operations_named(names)
        simulates = self._operations_in(found or list(self.operations)) & _ENGINE_OPERATIONS
        if simulates and (why := why_no_engine()):
            if not options.get('pretend'):
                raise UserError(f'nothing was submitted: {why}')
            print(f'note: this would not be submitted: {why}', file=sys.stderr)
        gc.disable()  # what is made is kept: to look through it takes a fifth of the time
        try:
            super().submit(names=found, **options)
        finally:
            gc.enable()

    def _operations_in(self, names: list[str]) -> set[str]:
        groups = self.groups
        members = [list(groups[name].operations) if name in groups else [name] for name in names]
        return {operation for each in members for operation in each}

    def _operations_named(self, names: list[str] | None) -> list[str] | None:
        """Find operations by patterns; a group only by its full name.

        A pattern such as `.*` would else select operations by themselves and in their groups, which
        signac-flow refuses. UserError for one that fits nothing: it would pass it over.
        """
        if names is None:
            return None
        found: list[str] = []
        for name in names:
            try:
                matching = [each for each in self.operations if re.fullmatch(name, each)]
            except re.error as error:
                raise UserError(f"-o '{name}': no regular expression ({error}).") from None
            if not matching and name not in self.groups:
                nearest = nearest_name(name, [*self.operations, *self.groups])
                raise UserError(f"-o '{name}': no operation or group is named so. {nearest}")
            found += [name] if name in self.groups or not matching else matching
        return found


@JobProject.label
def under_way(job: Job) -> str | None:
    """Name the stage that a job is in the middle of, and whether a process runs it."""
    there = job_files.listed(job.path)
    if job_files.FAILURE in there:
        return None
    for stage in ENGINE_STAGES:
        # A run that was killed could not take away the folder of a stage that was done.
        if f'{stage.name}.in_progress' in there and stage.last_product not in there:
            return f'{stage.name} {"runs" if _runs(Path(job.path)) else "to be continued"}'
    return None


def _runs(folder: Path) -> bool:
    held = is_held(folder)
    if held is not None:
        return held
    # A run that was killed on another host could not take its progress away.
    progress = read_progress(folder)
    return progress is not None and time.time() - progress.time < SECONDS_OF_SILENCE


@JobProject.label
def failed(job: Job) -> str | None:
    """Say where and how a job failed, which is not run again before `retry`."""
    failure = None if not_failed(job) else read_failure(Path(job.path))
    if failure is None:
        return None
    where = '' if failure.step is None else f' at step {failure.step}'
    return f'FAILED: {failure.stage} {failure.kind}{where}'


@JobProject.label
def refused(job: Job) -> str | None:
    """Say what a job needs before it can be run."""
    is_refused = not_failed(job) and job_files.REFUSAL in job_files.listed(job.path)
    why = read_refusal(Path(job.path)) if is_refused else ''
    first = why.partition('\n')[0].replace(f'{job.path}{os.sep}', '')
    return f'COULD NOT BE RUN: {shortened(first)}' if first else None


def not_failed(job: Job) -> bool:
    """Return whether a job may be run: one that failed waits for `retry`."""
    return job_files.FAILURE not in job_files.listed(job.path)


def _trouble(error: BaseException | None, jobs: Sequence[Job]) -> type[Exception] | None:
    """Report what was wrong with `jobs`, and return its kind; None if it ends all work.

    An operation over several ranks has a process of its own, which has reported it itself.
    """
    where = f'job {jobs[0].id}: ' if len(jobs) == 1 else ''
    if isinstance(error, subprocess.CalledProcessError):
        if error.returncode in _KINDS:
            return _KINDS[error.returncode]
        ended_by = signal_of(error.returncode)
        if ended_by in STOP_SIGNALS:
            return None
        if ended_by is not None:
            print(f'error: {where}its process was ended by {ended_by.name}', file=sys.stderr)
        return SimulationFailed
    for kind in (JobIsHeld, UserError, SimulationFailed):
        if isinstance(error, kind):
            print(f'error: {"" if jobs[0].id in str(error) else where}{error}', file=sys.stderr)
            return kind
    return None


def run_on(job: Job, work: Callable[[Any], None]) -> None:
    """Do the work of an operation on the context of a job.

    Interrupted if a request to stop came too late for a stage: what is next is not begun.
    """
    from workflow.stages.job_context import StageIsDone, job_context

    folder = Path(job.path)
    clear_refusal(folder)
    try:
        work(job_context(job))
    except StageIsDone as done:
        print(done, file=sys.stderr)
    except Exception as error:
        mistake = error if isinstance(error, UserError) else environment_error(error)
        # Who holds it, or that it failed, is recorded elsewhere.
        if mistake is not None and not isinstance(error, JobIsHeld) and not is_failed(folder):
            record_refusal(folder, mistake)
        raise
    leave_if_asked()


def _failed_ids(chosen: list[Any]) -> set[str]:
    """Find the ids of the jobs that are marked as failed, among jobs and groups of jobs."""
    jobs = [job for each in chosen for job in (each if isinstance(each, tuple) else (each,))]
    return {job.id for job in failed_among(jobs)}


@exits_on_user_error
def main(project: type[JobProject]) -> int:
    """Run a command of this project, or one of signac-flow; give the exit code."""
    show_messages()
    gc.freeze()  # what is imported: looking through it takes a tenth of a command's time
    gc.enable()
    try:
        return _main(project)
    except Interrupted as stopped:
        ignore_requests()
        again = 'Submit' if 'SLURM_JOB_ID' in os.environ else 'Run'
        has_stages = {'run', 'exec', 'simulate'} & set(sys.argv[1:2])
        goes_on = ' to resume: stages do so from their last checkpoint' if has_stages else ''
        print(f'{stopped}. {again} it again{goes_on}.', file=sys.stderr)
        return EXIT_INTERRUPTED
    except JobIsHeld as held:
        print(f'error: {held}', file=sys.stderr)
        return EXIT_HELD


def _main(project: type[JobProject]) -> int:
    leave_on_request(has_followers=asked_ranks() > 1, follows=started_ranks() > 1)
    from workflow.cli import commands

    if started_ranks() > 1:
        with leading_or_following(mark_failed_by_follower) as leads:
            return _flow_main(project) if leads else 0
    asked = sys.argv[1] if sys.argv[1:] else '--help'
    if asked in commands.COMMANDS or asked in ('-h', '--help'):
        return commands.main(sys.argv[1:] or [asked])
    if asked not in FLOW_COMMANDS and not asked.startswith('-'):
        known = (*commands.COMMANDS, *FLOW_COMMANDS)
        raise UserError(f"there is no command '{asked}'. {nearest_name(asked, known)}")
    return _flow_main(project)


def _flow_main(project: type[JobProject]) -> int:
    checked_project()  # flow reads the project document as soon as there is a project
    try:
        project.get_project().main()
    except NoSchedulerError:
        raise UserError(
            'there is no scheduler here. To see what would be submitted, name a cluster file: '
            'ISP_CLUSTER=FILE.toml python project.py submit --pretend (see docs/clusters.md).'
        ) from None
    except UserConditionError as error:
        raise error.__cause__ if isinstance(error.__cause__, UserError) else error from None
    except SubmitError as error:
        raise UserError(str(error)) from None
    except UserOperationError as error:
        if isinstance(error.__cause__, subprocess.CalledProcessError):
            return EXIT_INTERRUPTED  # its process has said so
        if (trouble := environment_error(error.__cause__)) is not None:
            raise trouble from None
        # Flow's own wrapping would hide what happened from the last line of a log.
        traceback.print_exception(error.__cause__ or error)
        return 1
    except SimulationFailed as failure:
        print(f'error: {failure}', file=sys.stderr)
        return 1
    except LookupError as error:
        if type(error) is LookupError:  # flow's word for a job that is not there
            raise UserError(str(error)) from None
        raise
    return 0
