"""A real Slurm of one node on loopback, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'sinfo', 'scontrol', 'scancel')
CORES, GPUS, MEMORY_GB = 4, 2, 16
SECONDS_TO_START = 40
SECONDS_OF_JOBS = 300  # what takes so long is stuck, however busy the machine

CONFIGURATION = """\
ClusterName=isp
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# The node says that it has what is written here, whatever the machine has.
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=15
MinJobAge=300
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={megabytes} Gres=gpu:{gpus}
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


class CannotStart(Exception):
    """Slurm is not here, or does not come up; the message says what it needs."""


@dataclass(frozen=True)
class OneNodeSlurm:
    """The running cluster.

    Attributes:
        folder: Holds its configuration, state and logs.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which Slurm's commands mean this cluster."""
        return _environment(self.folder)

    def command(self, *words: str) -> str:
        """Output of one of Slurm's commands."""
        return subprocess.run(
            words,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def queue(self, form: str) -> list[str]:
        """A line for each job that waits or runs, in a format of squeue."""
        return [line.strip() for line in self.command('squeue', '-h', '-o', form).splitlines()]

    def wait_until_empty(self) -> None:
        """Wait until no job waits or runs."""
        wait_for(lambda: not self.queue('%i'), SECONDS_OF_JOBS, 'an empty queue')


def wait_for(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `is_so`."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f'waited {seconds:g} s for {what}'
        time.sleep(0.3)


@contextmanager
def one_node_slurm() -> Iterator[OneNodeSlurm]:
    """Start munged, slurmctld and slurmd; stop just these afterwards.

    Raises:
        CannotStart: If that cannot be done here.
    """
    path = _environment(Path())['PATH']
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        raise CannotStart(
            f'needs {", ".join(missing)}: apt-get install slurmctld slurmd slurm-client munge'
        )
    if os.geteuid() != 0:
        raise CannotStart('needs to be root, to start Slurm')
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix='isp-slurm-'))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _write_files(folder)
        munge = folder / 'munge'
        _start(
            stack,
            folder,
            'munged',
            '--foreground',
            '--force',
            f'--key-file={munge}/key',
            f'--socket={munge}/socket',
            f'--pid-file={munge}/pid',
            f'--log-file={munge}/log',
            f'--seed-file={munge}/seed',
        )
        _start(stack, folder, 'slurmctld', '-D', '-i')
        _start(stack, folder, 'slurmd', '-D')
        slurm = OneNodeSlurm(folder)
        try:
            wait_for(lambda: _is_idle(slurm), SECONDS_TO_START, 'the node')
        except AssertionError:
            raise CannotStart(f'Slurm does not come up here: {_last_words(folder)}') from None
        stack.callback(_cancel_all, slurm)
        yield slurm


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join((os.environ.get('PATH', ''), '/usr/sbin', '/sbin'))
    return os.environ | {'PATH': path, 'SLURM_CONF': str(folder / 'slurm.conf')}


def _write_files(folder: Path) -> None:
    folder.chmod(0o755)  # munge wants its socket to be within reach of all
    for name in ('munge', 'state', 'spool'):
        (folder / name).mkdir(mode=0o755)
    key = folder / 'munge/key'
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    for number in range(GPUS):  # like /dev/null: Slurm only counts and names them
        os.mknod(folder / f'gpu{number}', stat.S_IFCHR | 0o600, os.makedev(1, 3))
    host = socket.gethostname().partition('.')[0]
    controller_port, node_port = _free_ports(2)
    (folder / 'slurm.conf').write_text(
        CONFIGURATION.format(
            host=host,
            folder=folder,
            controller_port=controller_port,
            node_port=node_port,
            cores=CORES,
            gpus=GPUS,
            megabytes=MEMORY_GB * 1024,
        )
    )
    (folder / 'gres.conf').write_text(f'Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n')
    said = subprocess.run(
        ['slurmd', '-V'], env=_environment(folder), capture_output=True, text=True
    ).stdout
    found = re.search(r'(\d+)\.(\d+)', said)
    # Nothing here is confined; 23.11 was the first to do without control groups by name.
    can_do_without = found is not None and (int(found[1]), int(found[2])) >= (23, 11)
    plugin = 'disabled' if can_do_without else 'cgroup/v1'
    (folder / 'cgroup.conf').write_text(f'CgroupPlugin={plugin}\n')


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(('127.0.0.1', 0))
        return [each.getsockname()[1] for each in sockets]


def _start(stack: ExitStack, folder: Path, *command: str) -> None:
    with open(folder / f'{command[0]}.out', 'wb') as log:
        process = subprocess.Popen(
            command,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stack.callback(_stop, process)
    time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_idle(slurm: OneNodeSlurm) -> bool:
    try:
        return slurm.command('sinfo', '-h', '-o', '%t').split()[:1] == ['idle']
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False


def _cancel_all(slurm: OneNodeSlurm) -> None:
    """So that no job outlives the daemons."""
    slurm.command('scancel', '--user=root')
    slurm.wait_until_empty()


def _last_words(folder: Path) -> str:
    words = []
    for log in folder.glob('slurm*.log'):
        lines = log.read_text(errors='replace').splitlines()
        words += [f'{log.name}: {line}' for line in lines if 'error' in line.lower()][-1:]
    return '; '.join(words) or 'no reason found in its logs'
