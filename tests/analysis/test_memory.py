"""Memory must not grow with the number of frames."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import ion_frames, write_dump, write_gsd

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from analysis.clusters import ion_clusters
from analysis.relaxation import segmental_relaxation
from analysis.trajectory import open_trajectory
trajectory = open_trajectory(sys.argv[1])
ion_clusters(trajectory, contact_distance=0.9, cation_types=(sys.argv[2],),
             anion_types=(sys.argv[3],))
if len(trajectory.topology.bonds):
    segmental_relaxation(trajectory)
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
