"""What the scalars of an analysis of ion clusters can be at all; light to import."""

from __future__ import annotations

import math

# Name of the series: lowest, highest.
CLUSTER_LIMITS = {
    'number_average_size': (1.0, math.inf),
    'weight_average_size': (1.0, math.inf),
    'largest_cluster_fraction': (0.0, 1.0),
    'free_ion_fraction': (0.0, 1.0),
    'coordination_number': (0.0, math.inf),
    'percolation_dimension': (0.0, 3.0),
}
