"""Copolymer statistics against their closed forms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from models.markov_sequence import terminal_transitions
from models.sequence import (
    BlockSequence,
    BlockySequence,
    ExplicitSequence,
    GradientSequence,
    IdealSequence,
    IntArray,
    PeriodicSequence,
    SequenceStatistics,
    TerminalSequence,
    check_composition,
    draw_sequences,
)
from user_input import UserError

CHAINS, LENGTH = 2000, 50
TERMINAL = TerminalSequence(kind='terminal', reactivity_ratios={'LSP': 0.5, 'DOPA': 2.0})
BLOCKY = BlockySequence(kind='blocky', blockiness=0.5)
PERIODIC = PeriodicSequence(kind='periodic')
ALL_KINDS = [IdealSequence(), TERMINAL, BLOCKY, PERIODIC]


def draw(
    statistics: SequenceStatistics,
    composition: Mapping[str, float],
    chains: int = CHAINS,
    length: int = LENGTH,
    seed: int = 1,
) -> IntArray:
    rng = np.random.default_rng(seed)
    units = draw_sequences(statistics, composition, np.full(chains, length), rng)
    return units.reshape(chains, length)


def dyads(units: IntArray, monomers: int = 2) -> np.ndarray:
    counts = np.zeros((monomers, monomers))
    np.add.at(counts, (units[:, :-1], units[:, 1:]), 1)
    return counts / counts.sum()


@pytest.mark.parametrize('feed', [0.03, 0.4, 0.9])
@pytest.mark.parametrize(('r1', 'r2'), [(1.0, 1.0), (3.0, 0.8), (0.01, 0.02), (20.0, 30.0)])
def test_transitions_invert_the_mayo_lewis_equation(feed: float, r1: float, r2: float) -> None:
    other = 1.0 - feed
    cross = feed * other
    fraction = (r1 * feed**2 + cross) / (r1 * feed**2 + 2 * cross + r2 * other**2)
    p12, p21 = terminal_transitions(fraction, r1, r2)
    assert p12 == pytest.approx(other / (r1 * feed + other))
    assert p21 == pytest.approx(feed / (r2 * other + feed))


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize(
    ('fraction', 'r1', 'r2'), [(0.3, 6.0, 4.0), (0.5, 0.05, 0.1), (0.7, 0.3, 0.4), (0.3, 1.0, 1.0)]
)
def test_terminal_dyads(fraction: float, r1: float, r2: float, exact: bool) -> None:
    statistics = TerminalSequence(
        kind='terminal', reactivity_ratios={'DOPA': r2, 'LSP': r1}, exact_composition=exact
    )
    measured = dyads(draw(statistics, {'LSP': fraction, 'DOPA': 1.0 - fraction}))
    p12, p21 = terminal_transitions(fraction, r1, r2)
    expected = np.array(
        [
            [fraction * (1 - p12), fraction * p12],
            [(1 - fraction) * p21, (1 - fraction) * (1 - p21)],
        ]
    )
    # five standard errors of independent dyads, widened for their correlation along the chain
    widening = np.sqrt(max(1.0, (2 - p12 - p21) / (p12 + p21)))
    bound = 5 * widening * np.sqrt(expected * (1 - expected) / (CHAINS * (LENGTH - 1)))
    assert np.all(np.abs(measured - expected) < bound)


def test_first_units_have_the_composition() -> None:
    statistics = TerminalSequence(
        kind='terminal', reactivity_ratios={'LSP': 0.05, 'DOPA': 0.1}, exact_composition=False
    )
    units = draw(statistics, {'LSP': 0.3, 'DOPA': 0.7})
    for place in (0, 1, LENGTH - 1):
        assert np.mean(units[:, place] == 0) == pytest.approx(0.3, abs=5 * 0.46 / CHAINS**0.5)


@pytest.mark.parametrize('exact', [True, False])
def test_ideal_dyads_of_three_monomers(exact: bool) -> None:
    fractions = np.array([0.2, 0.3, 0.5])
    statistics = IdealSequence(exact_composition=exact)
    units = draw(statistics, dict(zip('abc', fractions, strict=True)))
    expected = np.outer(fractions, fractions)
    bound = 5 * np.sqrt(2 * expected * (1 - expected) / (CHAINS * (LENGTH - 1)))
    assert np.all(np.abs(dyads(units, 3) - expected) < bound)


@pytest.mark.parametrize('exact', [True, False])
def test_blocky_blocks_have_the_mean_length(exact: bool) -> None:
    fractions = {'a': 0.2, 'b': 0.3, 'c': 0.5}
    statistics = BlockySequence(kind='blocky', blockiness=0.6, exact_composition=exact)
    units = draw(statistics, fractions, chains=1, length=100_000)[0]
    changes = np.flatnonzero(np.diff(units)) + 1
    blocks = np.split(units, changes)[1:-1]
    for monomer, fraction in enumerate(fractions.values()):
        lengths = [block.size for block in blocks if block[0] == monomer]
        assert np.mean(lengths) == pytest.approx(1 / (0.4 * (1 - fraction)), rel=0.06)


@pytest.mark.parametrize('statistics', ALL_KINDS, ids=lambda s: s.kind)
@pytest.mark.parametrize(('chains', 'length'), [(12, 20), (400, 50), (1, 30_000)])
def test_composition_is_exact(statistics: SequenceStatistics, chains: int, length: int) -> None:
    units = draw(statistics, {'LSP': 0.35, 'DOPA': 0.65}, chains, length)
    assert np.count_nonzero(units == 0) == round(0.35 * chains * length)


@pytest.mark.parametrize('statistics', [TERMINAL, BLOCKY], ids=lambda s: s.kind)
def test_composition_is_exact_where_conditioning_fails(
    statistics: SequenceStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('models.sequence.MOST_DRAWS', 1)
    for seed in range(5):
        units = draw(statistics, {'LSP': 0.35, 'DOPA': 0.65}, 50, 20, seed)
        assert np.count_nonzero(units == 0) == 350


def test_inexact_composition_fluctuates() -> None:
    statistics = IdealSequence(exact_composition=False)
    counts = [
        np.count_nonzero(draw(statistics, {'a': 0.5, 'b': 0.5}, 12, 20, seed)) for seed in range(50)
    ]
    assert 4 < np.std(counts) < 12  # sqrt(240)/2 = 7.7


@pytest.mark.parametrize(('fraction', 'gaps'), [(1 / 9, {9}), (0.4, {2, 3}), (0.5, {2})])
def test_periodic_spacing(fraction: float, gaps: set[int]) -> None:
    units = draw(PERIODIC, {'LSP': fraction, 'DOPA': 1 - fraction}, 20, 90)
    assert {int(gap) for chain in units for gap in np.diff(np.flatnonzero(chain == 0))} == gaps


def test_periodic_spacing_must_agree_with_the_composition() -> None:
    statistics = PeriodicSequence(kind='periodic', spacing=5)
    assert draw(statistics, {'LSP': 0.2, 'DOPA': 0.8}, 10, 50).shape == (10, 50)
    with pytest.raises(UserError, match="spacing = 5 needs the fraction 0.2 of 'LSP'"):
        draw(statistics, {'LSP': 0.25, 'DOPA': 0.75}, 10, 40)


@pytest.mark.parametrize('statistics', ALL_KINDS, ids=lambda s: s.kind)
def test_homopolymers_are_ordinary(statistics: SequenceStatistics) -> None:
    assert np.all(draw(statistics, {'LSP': 1.0}) == 0)
    assert np.all(draw(statistics, {'LSP': 0.0, 'DOPA': 1.0}) == 1)


def test_impossible_composition_names_the_nearest() -> None:
    with pytest.raises(UserError, match='240 monomers') as error:
        draw(IdealSequence(), {'LSP': 0.33, 'DOPA': 0.67}, 12, 20)
    assert 'LSP = 79/240 = 0.329166667' in str(error.value)
    assert 'DOPA = 161/240' in str(error.value)
    assert 'exact_composition = false' in str(error.value)
    # what the message proposes, and a third as one writes it, are accepted
    draw(IdealSequence(), {'LSP': 0.329166667, 'DOPA': 0.670833333}, 12, 20)
    assert np.sum(draw(IdealSequence(), {'LSP': 0.333333, 'DOPA': 0.666667}, 12, 20) == 0) == 80


def test_bad_compositions() -> None:
    known = {'LSP': None, 'DOPA': None}
    check_composition({'LSP': 0.0, 'DOPA': 1.0}, known)
    with pytest.raises(UserError, match="no monomer 'LPS'. Did you mean 'LSP'?"):
        check_composition({'LPS': 0.5, 'DOPA': 0.5}, known)
    for fraction in (-0.1, 1.1, float('nan')):
        with pytest.raises(UserError, match='from 0 to 1'):
            check_composition({'LSP': fraction, 'DOPA': 0.5}, known)
    with pytest.raises(UserError, match='add up to 0.9'):
        check_composition({'LSP': 0.4, 'DOPA': 0.5}, known)
    with pytest.raises(UserError, match='add up to 0'):
        check_composition({}, known)


def test_terminal_model_is_for_two_known_monomers() -> None:
    with pytest.raises(UserError, match=r"kind 'terminal' is for two monomers.*'blocky'"):
        draw(TERMINAL, {'LSP': 0.2, 'DOPA': 0.3, 'X': 0.5})
    misspelt = TerminalSequence(kind='terminal', reactivity_ratios={'LPS': 1.0, 'DOPA': 1.0})
    with pytest.raises(UserError, match="lacks the monomer 'LSP'.*Did you mean 'LPS'"):
        draw(misspelt, {'LSP': 0.5, 'DOPA': 0.5})


@pytest.mark.parametrize('length', [20, 21, 6])
def test_blocks_have_the_lengths_of_the_composition(length: int) -> None:
    statistics = BlockSequence(kind='block', blocks=('LSP', 'DOPA'))
    units = draw(statistics, {'LSP': 1 / 3, 'DOPA': 2 / 3}, chains=30, length=length)
    of_first = (units == 0).sum(axis=1)
    assert of_first.sum() == 10 * length
    assert np.all(np.abs(of_first - length / 3) < 1)
    assert np.all(np.diff(units, axis=1) >= 0)


def test_blocks_of_one_monomer_share_it_equally() -> None:
    statistics = BlockSequence(kind='block', blocks=('LSP', 'DOPA', 'LSP'))
    units = draw(statistics, {'LSP': 0.5, 'DOPA': 0.5}, chains=3, length=20)
    assert units.tolist() == [[0] * 5 + [1] * 10 + [0] * 5] * 3
    without = draw(statistics, {'DOPA': 1.0}, chains=2, length=5)
    assert not without.any()


def test_blocks_follow_chains_of_many_lengths() -> None:
    statistics = BlockSequence(kind='block', blocks=('LSP', 'DOPA'))
    lengths = np.random.default_rng(3).integers(1, 60, 400)
    lengths[-1] += lengths.sum() % 2
    units = draw_sequences(statistics, {'LSP': 0.5, 'DOPA': 0.5}, lengths, np.random.default_rng(0))
    assert (units == 0).sum() == lengths.sum() / 2
    for chain in np.split(units, np.cumsum(lengths)[:-1]):
        assert np.all(np.diff(chain) >= 0)
        assert abs((chain == 0).sum() - chain.size / 2) <= 1


def test_blocks_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(UserError, match="'blocks' lacks the monomer 'DOPA'"):
        draw(BlockSequence(kind='block', blocks=('LSP',)), {'LSP': 0.5, 'DOPA': 0.5})
    four = BlockSequence(kind='block', blocks=('LSP', 'DOPA', 'LSP', 'DOPA'))
    with pytest.raises(UserError, match='cannot have the exact composition'):
        draw(four, {'LSP': 0.3, 'DOPA': 0.7}, chains=1, length=10)


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize('monomer', ['LSP', 'DOPA'])
def test_gradients_are_linear(monomer: str, exact: bool) -> None:
    statistics = GradientSequence(
        kind='gradient', monomer=monomer, difference=0.5, exact_composition=exact
    )
    composition = {'LSP': 0.3, 'DOPA': 0.7}
    units = draw(statistics, composition)
    is_it = units == list(composition).index(monomer)
    places = (np.arange(LENGTH) + 0.5) / LENGTH
    expected = composition[monomer] + 0.5 * (0.5 - places)
    error = np.sqrt(expected * (1 - expected) / CHAINS)
    assert np.all(np.abs(is_it.mean(axis=0) - expected) < 5 * error)
    if exact:
        assert is_it.sum() == composition[monomer] * CHAINS * LENGTH
    # neighbours know nothing of each other
    rest = is_it - expected
    assert abs((rest[:, 1:] * rest[:, :-1]).mean()) < 5 * 0.25 / np.sqrt(CHAINS * LENGTH)


def test_gradients_that_cannot_be_had_are_refused() -> None:
    steep = GradientSequence(kind='gradient', monomer='LSP', difference=0.8)
    with pytest.raises(UserError, match=r'beyond 0 or 1: at most 0\.6'):
        draw(steep, {'LSP': 0.3, 'DOPA': 0.7})
    with pytest.raises(UserError, match="for 'LSP' and one other monomer"):
        draw(steep, {'DOPA': 1.0})


def test_given_units_are_those_of_every_chain() -> None:
    statistics = ExplicitSequence(kind='explicit', units=('DOPA', 'LSP', 'DOPA'))
    units = draw(statistics, {'LSP': 1 / 3, 'DOPA': 2 / 3}, chains=4, length=6)
    assert units.tolist() == [[1, 0, 1, 1, 0, 1]] * 4
    never_reached = ExplicitSequence(kind='explicit', units=('DOPA', 'LSP', 'A'))
    assert draw(never_reached, {'LSP': 0.5, 'DOPA': 0.5}, length=2)[0].tolist() == [1, 0]
    with pytest.raises(UserError, match='LSP = 0.285714286, DOPA = 0.714285714 in chains'):
        draw(statistics, {'LSP': 1 / 3, 'DOPA': 2 / 3}, chains=4, length=7)
    with pytest.raises(UserError, match='write these'):
        draw(ExplicitSequence(kind='explicit', units=('A', 'LSP')), {'LSP': 0.5, 'DOPA': 0.5})
