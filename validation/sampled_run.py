"""A run of an engine, as observables see it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.io.gsd_trajectory import GSDTrajectory
from analysis.sampling.run import Run
from validation.systems import Sample, make_engine
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import THERMO_COLUMNS, ConstantVolume, Langevin
from workflow.stages.trajectory_writer import TrajectoryLog


@contextmanager
def sampled_run(
    sample: Sample,
    engine: str,
    integrator: Langevin | ConstantVolume,
    mesh: CoulombMesh | None,
    *,
    seed: int,
    left_out: int,
    steps: int,
    frame_period: int,
    row_period: int,
) -> Iterator[Run]:
    """Run `left_out` steps, then `steps` with frames and rows of the log; its file goes at the end.

    The temperature is that of the integrator, and does not change.
    """
    assert isinstance(integrator.kT, float)
    simulation = sample.simulation(
        make_engine(engine), integrator, mesh, seed, log_period=row_period
    )
    simulation.run(left_out)
    simulation.take_thermo_rows()
    with tempfile.TemporaryDirectory(prefix='isp-validation-') as folder:
        path = Path(folder) / 'trajectory.gsd'
        with TrajectoryLog(path, sample.frame, integrator.time_step) as trajectory:
            trajectory.append(simulation.state())
            for _ in range(steps // frame_period):
                simulation.run(frame_period)
                trajectory.append(simulation.state())
        rows = simulation.take_thermo_rows()
        simulation.close()
        log = dict(zip(THERMO_COLUMNS, rows.T, strict=True))
        yield Run(GSDTrajectory(path), log, kT=integrator.kT)
