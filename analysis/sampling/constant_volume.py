"""Whether the volume of a run is one: transport coefficients are those of a density."""

from __future__ import annotations

from analysis.arrays import FloatArray

# Of the volume. That of melts of some hundred beads at constant pressure fluctuates by 0.8 %, and
# up to 1.6 %. A viscosity changes by some ten times as much as the volume.
LARGEST_DRIFT, LARGEST_FLUCTUATION = 0.01, 0.02


def change_of_volume(volume: FloatArray) -> str:
    """Say that volumes (T,) drift, or fluctuate too much for one of them; empty if they do not."""
    mean, half = volume.mean(), len(volume) // 2
    drift = abs(volume[-half:].mean() - volume[:half].mean()) if half else 0.0
    for how, change, largest in (
        ('drifts', drift, LARGEST_DRIFT),
        ('fluctuates', volume.std(), LARGEST_FLUCTUATION),
    ):
        if change > largest * mean:
            return (
                f'the volume {how} by {100 * change / mean:.2g} %: this is no number of one '
                'density. Measure at constant volume'
            )
    return ''
