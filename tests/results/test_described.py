"""What a report says of the systems that were simulated."""

from __future__ import annotations

from tests.results.builders import state_point
from workflow.results.described import simulated_systems


def test_architectures_are_named_where_molecules_are_not_linear() -> None:
    names = dict(simulated_systems([state_point(0.5)], 1))
    assert 'Architecture' not in names
    star = dict(simulated_systems([state_point(0.5, architecture={'kind': 'star', 'arms': 3})], 1))
    assert star['Architecture'] == 'star (arms 3)'


def test_reports_of_rings_say_what_topology_they_have() -> None:
    names = dict(simulated_systems([state_point(0.5, architecture={'kind': 'ring'})], 1))
    assert names['Architecture'] == 'ring'
    assert 'random knots and links' in names['Topology of rings']
