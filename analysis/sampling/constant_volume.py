"""Whether the volume of a run is one: transport coefficients are those of a density."""

from __future__ import annotations

from analysis.arrays import FloatArray

# Of the volume. Fluctuations of melts at constant pressure are less, and change results by as much;
# a viscosity changes by some ten times as much as a volume that drifts.
LARGEST_CHANGE = 0.01


def change_of_volume(volume: FloatArray) -> str:
    """Say that volumes (T,) drift, or fluctuate too much for one of them; empty if they do not."""
    mean, half = volume.mean(), len(volume) // 2
    drift = abs(volume[-half:].mean() - volume[:half].mean()) if half else 0.0
    for change, how in ((drift, 'drifts'), (volume.std(), 'fluctuates')):
        if change > LARGEST_CHANGE * mean:
            return (
                f'the volume {how} by {100 * change / mean:.2g} %: this is no number of one '
                'density. Measure at constant volume'
            )
    return ''
