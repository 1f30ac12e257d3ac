"""A workspace of another version, or a damaged one, is told of; nothing in it is misread."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project import main
from tests.end_to_end.test_bad_input import SWEEP, Refusal, assert_refused
from user_input import UserError
from workflow.cli.migrate import ASIDE
from workflow.jobs.files import TRAJECTORY
from workflow.jobs.workspace import FORMAT, FORMATS_BEFORE, open_project
from workflow.stages.job_context import job_context
from workflow.stages.table import STAGES

COMMANDS = (
    ('init', 'sweep.toml'),
    ('simulate', 'sweep.toml'),
    ('report', 'sweep.toml'),
    ('status',),
    ('run', '-o', 'build'),
    ('submit', '--pretend'),
    ('failed',),
    ('retry',),
)
# Those that open jobs: a state point is verified when something is made of it.
OPENING = tuple(words for words in COMMANDS if words[0] not in ('status', 'failed', 'retry'))
DOCUMENT = 'signac_project_document.json'

Project = Callable[..., Refusal]


@pytest.fixture(scope='module')
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('project')
    (folder / 'sweep.toml').write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, 'argv', ['project.py', 'init', 'sweep.toml'])
        assert main() == 0
    return folder


@pytest.fixture
def folder(initialised: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(initialised, tmp_path / 'copy'))


@pytest.fixture
def project(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    def run(*arguments: str) -> Refusal:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, 'argv', ['project.py', *arguments])
        return Refusal(main(), capsys.readouterr().err)

    monkeypatch.setenv('ISP_ENGINE', 'lammps')
    return run


def document(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / DOCUMENT).read_text())
    return content


def the_job(folder: Path) -> Path:
    (job,) = (folder / 'workspace').iterdir()
    return job


def test_a_new_workspace_has_its_format_recorded(folder: Path) -> None:
    assert document(folder)['workspace_format'] == FORMAT


@pytest.mark.parametrize('command', COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize('other', [1, FORMAT + 1])
def test_another_format_is_refused(
    project: Project, folder: Path, command: tuple[str, ...], other: int
) -> None:
    content = document(folder) | {'workspace_format': other}
    (folder / DOCUMENT).write_text(json.dumps(content))
    before = sorted(folder.rglob('*'))
    assert_refused(
        project(*command), str(folder), f'has format {other}', f'reads format {FORMAT}', 'Use the'
    )
    assert sorted(folder.rglob('*')) == before
    assert document(folder) == content


@pytest.mark.parametrize('before', FORMATS_BEFORE)
def test_a_workspace_of_the_format_before_is_taken_over_by_one_command(
    project: Project, folder: Path, before: int | None
) -> None:
    content = document(folder) | {'workspace_format': before}
    (folder / DOCUMENT).write_text(
        json.dumps({name: value for name, value in content.items() if value is not None})
    )
    job = the_job(folder)
    for stage in STAGES:
        for name in stage.products:
            (job / name).write_text(f'simulated: {name}')
    (job / 'clusters.json').write_text('{"n_ions": 320}')
    (job / 'checksums').mkdir()
    (job / 'checksums/clusters.json.b2').write_text('of the old one')
    (job / 'thermodynamics.json').write_text('{"result": null, "refusal": "which still reads"}')
    files = {path: path.read_bytes() for path in job.rglob('*') if path.is_file()}

    for command in COMMANDS:
        assert_refused(project(*command), 'an earlier version', 'python project.py migrate')
    assert project('migrate').code == 0
    assert document(folder)['workspace_format'] == FORMAT
    aside = job / ASIDE
    assert (aside / 'clusters.json').read_text() == '{"n_ions": 320}'
    assert (aside / 'checksums/clusters.json.b2').read_text() == 'of the old one'
    gone = {
        job / name
        for name in ('clusters.json', 'checksums/clusters.json.b2', 'thermodynamics.json')
    }
    assert not any(path.exists() for path in gone)
    assert all(path.read_bytes() == files[path] for path in set(files) - gone)
    assert project('status').code == 0
    assert project('migrate').code == 0


def test_what_migrate_does_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / DOCUMENT).write_text(json.dumps(document(folder) | {'workspace_format': 2}))
    job = the_job(folder)
    (job / TRAJECTORY).touch()
    (job / 'relaxation.json').write_text('{')
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, 'argv', ['project.py', 'migrate'])
    assert main() == 0
    told = capsys.readouterr().out
    assert f'Results of an older kind, moved to {ASIDE}' in told
    assert 'analyses 1 job anew; it simulates none' in told


def test_state_points_of_another_layout_are_not_taken_over(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / DOCUMENT).unlink()
    monkeypatch.chdir(folder)
    import signac

    signac.get_project().open_job({'temperature': 300}).init()
    assert_refused(project('migrate'), "unknown key 'temperature'", 'another version')
    assert not (folder / DOCUMENT).exists()


DAMAGES = ['', '{', '[]', 'null', '\x00\x01', '7', '[' * 100_000]


@pytest.mark.parametrize('command', COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    'content',
    [
        *DAMAGES[:3],
        '{"sweeps": []}',
        '{"workspace_format": "2"}',
        '{"sweeps": {"a": 1}}',
        '{"_status": []}',
    ],
)
def test_a_damaged_project_document_is_told(
    project: Project, folder: Path, command: tuple[str, ...], content: str
) -> None:
    (folder / DOCUMENT).write_text(content)
    assert_refused(project(*command), DOCUMENT, 'is damaged', 'Move it away')


def test_a_sweep_name_in_the_document_is_no_way_out(project: Project, folder: Path) -> None:
    content = json.loads((folder / DOCUMENT).read_text())
    content['sweeps']['../../out'] = content['sweeps']['small']
    (folder / DOCUMENT).write_text(json.dumps(content))
    assert_refused(project('run', '-o', 'report'), DOCUMENT, '../../out', 'is damaged')


def test_a_damaged_project_document_is_made_anew_as_it_says(project: Project, folder: Path) -> None:
    (folder / DOCUMENT).rename(folder / 'damaged')
    assert project('migrate').code == 0
    assert project('init', 'sweep.toml').code == 0
    assert document(folder)['sweeps'] == json.loads((folder / 'damaged').read_text())['sweeps']


@pytest.mark.parametrize('command', OPENING, ids=lambda words: words[0])
@pytest.mark.parametrize('content', [*DAMAGES, '{"a": 1}'])
def test_a_damaged_state_point_is_told(
    project: Project, folder: Path, command: tuple[str, ...], content: str
) -> None:
    path = the_job(folder) / 'signac_statepoint.json'
    path.write_text(content)
    assert_refused(project(*command), str(path), 'is damaged', 'run init')


def test_a_missing_state_point_is_told_and_written_anew(project: Project, folder: Path) -> None:
    path = the_job(folder) / 'signac_statepoint.json'
    whole = path.read_text()
    path.unlink()
    assert_refused(project('run', '-o', 'build'), str(path), 'missing', 'run init')
    assert not (path.parent / 'init.gsd').exists()
    assert project('init', 'sweep.toml').code == 0
    assert json.loads(path.read_text()) == json.loads(whole)


@pytest.mark.parametrize(
    'content',
    [
        *DAMAGES,
        '{"runs": {}}',
        '{"runs": [1]}',
        '{"build": "yesterday"}',
        '{"retries": [1]}',
        '{"retries": [{"failure": {"stage": 1}, "until": 1}]}',
        '{"retries": [{"failure": {"stage": "relax"}, "until": "1"}]}',
    ],
)
def test_a_damaged_job_document_is_told_before_anything_runs(
    folder: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (job,) = open_project()
    path = Path(job.fn('signac_job_document.json'))
    path.write_text(content)
    with pytest.raises(UserError, match=f'{path.name}: is damaged.*Move it away'):
        job_context(job)


def test_a_damaged_configuration_is_told(project: Project, folder: Path) -> None:
    config = folder / '.signac/config'
    for content in ('schema_version', 'schema_version = abc', '', '[', 'schema_version = 99'):
        config.write_text(content)
        for command in (('status',), ('init', 'sweep.toml')):
            assert_refused(project(*command), '.signac/config')
