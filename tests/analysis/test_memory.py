"""Memory must not grow with the number of frames."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.builders import ion_frames, write_dump, write_gsd

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from analysis.io.open_trajectory import open_trajectory
from analysis.observables.ion_clusters import IonClusters
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.sampling.run import Run
cation, anion, *paths = sys.argv[1:]
clusters = IonClusters(contact_distance=0.9, cations=(cation,), anions=(anion,))
relaxation = SegmentalRelaxation()
for path in paths:
    run = Run(open_trajectory(path))
    assert clusters.compute(run).n_frames > 1
    if relaxation.applies_to(run.topology):
        assert relaxation.compute(run).p2
    # ru_maxrss would start from the peak of the process that forked this one.
    status = open('/proc/self/status').read()
    print(int(status.split('VmHWM:')[1].split()[0]))
"""


def peaks_of_memory(*arguments):
    """The peak of one process after each file in turn."""
    done = subprocess.run([sys.executable, '-c', SCRIPT, *arguments], cwd=ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return [int(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='needs Linux')
@pytest.mark.parametrize('kind', ['gsd', 'dump'])
def test_ten_times_the_frames(tmp_path, kind):
    frames = {'gsd': (60, 1000), 'dump': (15, 400)}[kind]
    write, types = {'gsd': (write_gsd, ('Li', 'S')), 'dump': (write_dump, ('2', '1'))}[kind]
    paths = [
        write(tmp_path / f'{n}.{kind}', ion_frames(n, n_pairs=frames[1], box=20.0))
        for n in (frames[0], 10 * frames[0])
    ]
    peaks = peaks_of_memory(*types, *paths)
    print(f'{kind}: peak RSS {peaks} kB, ratio {peaks[1] / peaks[0]:.3f}')
    assert peaks[1] <= 1.1 * peaks[0]
    assert np.isfinite(peaks).all()
