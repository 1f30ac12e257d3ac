"""All observables, in the order of commands, tables and reports."""

from __future__ import annotations

from typing import Any

from analysis.observable import Observable
from analysis.observables.bridging import Bridging
from analysis.observables.chain_sizes import ChainSizes
from analysis.observables.conductivity import Conductivity
from analysis.observables.ion_association import IonAssociation
from analysis.observables.ion_clusters import IonClusters
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.non_gaussian import NonGaussian
from analysis.observables.pair_correlation import PairCorrelation
from analysis.observables.pair_lifetimes import PairLifetimes
from analysis.observables.partial_structure_factors import PartialStructureFactors
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.observables.stress_relaxation import StressRelaxation
from analysis.observables.structure_factor import StructureFactor
from analysis.observables.thermodynamics import Thermodynamics

OBSERVABLES: tuple[Observable[Any], ...] = (
    Thermodynamics(),
    IonClusters(),
    SegmentalRelaxation(),
    MeanSquaredDisplacement(),
    NonGaussian(),
    Conductivity(),
    IonAssociation(),
    PairLifetimes(),
    ChainSizes(),
    Bridging(),
    StressRelaxation(),
    PairCorrelation(),
    StructureFactor(),
    PartialStructureFactors(),
)
