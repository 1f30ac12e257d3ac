"""Cluster files: what they say, and that nothing in them gets a line into a script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.conftest import ROOT
from user_input import UserError
from workflow.cluster.description import Cluster, find_cluster, read_cluster

TWO_PARTITIONS = {
    'cpu': {'cores': 32, 'memory': 128, 'max_hours': 72},
    'gpu': {'cores': 32, 'memory': 256, 'gpus': 4, 'max_hours': 24},
}


def test_the_worked_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    text = (ROOT / 'docs/clusters.md').read_text()
    examples = re.findall(r'```toml\n(.*?)```', text, re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        path = tmp_path / f'{number}.toml'
        path.write_text(example)
        assert read_cluster(path).partitions


def test_the_documentation_names_every_key() -> None:
    text = (ROOT / 'docs/clusters.md').read_text()
    assert [key for key in Cluster.model_fields if f'`{key}`' not in text] == []


def test_a_partition_is_chosen_by_the_need_of_gpus() -> None:
    cluster = Cluster.model_validate({'partitions': TWO_PARTITIONS})
    assert cluster.partition(None, for_gpus=True) == 'gpu'
    assert cluster.partition(None, for_gpus=False) == 'cpu'
    assert cluster.partition('gpu', for_gpus=False) == 'gpu'
    assert Cluster().partition(None, for_gpus=True) is None
    with pytest.raises(UserError, match="Did you mean 'gpu'"):
        cluster.partition('gpus', for_gpus=True)
    without = Cluster.model_validate({'partitions': {'cpu': TWO_PARTITIONS['cpu']}})
    with pytest.raises(UserError, match='no partition in the cluster file has any'):
        without.partition(None, for_gpus=True)


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('account', 'abc\n#SBATCH --uid=0', 'account'),
        ('account', 'abc\n', 'account'),
        ('modules', ['cuda; rm -rf /'], 'modules'),
        ('modules', ['-h'], 'modules'),
        ('options', ['--constraint=a b'], 'without spaces'),
        ('options', ['--constraint=a\n--x'], 'without spaces'),
        ('options', ['--time=1'], '--time is set by'),
        ('options', ['constraint=a100'], "like '--constraint=a100'"),
        ('prologue', ['true\nfalse'], 'one line'),
        ('prologue', ['true\u2028false'], 'one line'),
        ('mpi_command', 'srun\n', 'a program and its options'),
        ('mpi_command', 'srun; touch escaped', 'a program and its options'),
        ('mpi_command', 'srun $(touch escaped)', 'a program and its options'),
        ('mpi_command', 'srun > escaped', 'a program and its options'),
        ('mpi_command', "sh -c 'touch escaped'", 'a program and its options'),
        ('mpi_command', '-n 4', 'a program and its options'),
        ('hostname', '(', 'not a regular expression'),
        ('gpu_request', 'slots', 'gpu_request'),
        ('stop_before_end', 3600, 'leaves less than half'),
        ('acount', 'abc', "Did you mean 'account'"),
    ],
)
def test_a_faulty_key_is_told(tmp_path: Path, key: str, value: object, said: str) -> None:
    lines = [f'{key} = {value!r}' if isinstance(value, int) else f'{key} = {_toml(value)}']
    lines += ['[partitions.cpu]', 'cores = 1', 'memory = 1', 'max_hours = 1']
    path = tmp_path / 'a.toml'
    path.write_text('\n'.join(lines))
    with pytest.raises(UserError, match=re.escape(said)):
        read_cluster(path)


@pytest.mark.parametrize('command', ['mpiexec', '/opt/mpi/bin/mpirun', 'srun --mpi=pmix -c 2'])
def test_a_program_with_options_starts_the_ranks(command: str) -> None:
    assert Cluster.model_validate({'mpi_command': command}).mpi_command == command


@settings(max_examples=30)
@given(st.text(max_size=30))
def test_no_text_in_a_cluster_file_spans_lines(text: str) -> None:
    for key in ('account', 'mpi_command', 'modules', 'options', 'prologue'):
        value = text if key in ('account', 'mpi_command') else [text]
        try:
            cluster = Cluster.model_validate({key: value})
        except ValidationError:
            continue
        kept = getattr(cluster, key)
        for each in [kept] if isinstance(kept, str) else kept:
            assert each.splitlines() == [each]


def test_a_file_is_found_by_name_path_or_hostname(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ISP_CLUSTER', raising=False)
    assert find_cluster() == (Cluster(), None)
    folder = tmp_path / 'project'
    (folder / '.signac').mkdir(parents=True)
    (folder / 'clusters').mkdir()
    (folder / 'clusters/here.toml').write_text("hostname = '.*'\naccount = 'here'")
    (folder / 'clusters/there.toml').write_text("hostname = 'nowhere'\naccount = 'there'")
    monkeypatch.chdir(folder)
    assert find_cluster()[0].account == 'here'
    for named in ('there', str(folder / 'clusters/there.toml'), 'clusters/there.toml'):
        monkeypatch.setenv('ISP_CLUSTER', named)
        cluster, path = find_cluster()
        assert cluster.account == 'there'
        assert path is not None
        assert path.is_absolute()
    monkeypatch.setenv('ISP_CLUSTER', 'ther')
    with pytest.raises(UserError, match="Did you mean 'there'"):
        find_cluster()


def _toml(value: object) -> str:
    def quoted(text: str) -> str:
        escaped = ''.join(
            c if c.isprintable() and c not in '"\\' else f'\\u{ord(c):04x}' for c in text
        )
        return f'"{escaped}"'

    return f'[{", ".join(map(quoted, value))}]' if isinstance(value, list) else quoted(str(value))
