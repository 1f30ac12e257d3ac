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
run = Run(open_trajectory(sys.argv[1]))
ions = {'cations': (sys.argv[2],), 'anions': (sys.argv[3],)}
clusters = IonClusters(contact_distance=0.9, **ions)
relaxation = SegmentalRelaxation()
assert clusters.compute(run).n_frames > 1
if relaxation.applies_to(run.topology):
    assert relaxation.compute(run).p2
# ru_maxrss would start from the peak of the process that forked this one.
status = open('/proc/self/status').read()
print(int(status.split('VmHWM:')[1].split()[0]))
"""


def peak_memory(path, *types):
    done = subprocess.run([sys.executable, '-c', SCRIPT, path, *types], cwd=ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='needs Linux')
@pytest.mark.parametrize('kind', ['gsd', 'dump'])
def test_ten_times_the_frames(tmp_path, kind):
    frames = {'gsd': (60, 1000), 'dump': (15, 400)}[kind]
    peaks = []
    for n in (frames[0], 10 * frames[0]):
        made = ion_frames(n, n_pairs=frames[1], box=20.0)
        if kind == 'gsd':
            peaks.append(peak_memory(write_gsd(tmp_path / f'{n}.gsd', made), 'Li', 'S'))
        else:
            peaks.append(peak_memory(write_dump(tmp_path / f'{n}.dump', made), '2', '1'))
    print(f'{kind}: peak RSS {peaks} kB, ratio {peaks[1] / peaks[0]:.3f}')
    assert peaks[1] <= 1.1 * peaks[0]
    assert np.isfinite(peaks).all()
