"""Ions and free molecules: the melt is neutral, numbers are exact, each has an id of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from models.free_molecules import beads_in_melt
from models.melt import MOLECULE_ID, build_melt
from models.model import Model
from models.sequence import IdealSequence, PeriodicSequence
from user_input import UserError, validate

FENE = {'kind': 'fene', 'k': 30.0, 'r0_max': 1.5}


def ionomer(**changes: Any) -> Model:
    """E is neutral, A a pendant anion, C a pendant cation, D one of charge -2."""
    content: dict[str, Any] = {
        'name': 'ionomer',
        'description': 'for tests',
        'beads': {
            'B': {},
            'S': {'charge': -1.0},
            'N': {'charge': 1.0},
            'P': {'charge': -2.0},
            'Li': {'charge': 1.0, 'sigma': 0.5},
            'Na': {'charge': 1.0, 'sigma': 0.7},
            'Ca': {'charge': 2.0, 'sigma': 0.6},
            'Al': {'charge': 3.0, 'sigma': 0.6},
            'Cl': {'charge': -1.0},
        },
        'default_pair': {'kind': 'wca'},
        'bonds': {'bond': FENE, 'of water': FENE},
        'angles': {'bent': {'kind': 'harmonic', 'k': 10.0, 'theta0': 109.5}},
        'monomers': {
            'E': {'beads': ['B']},
            'A': {'beads': ['B', 'S'], 'bonds': [[0, 1, 'bond']]},
            'C': {'beads': ['B', 'N'], 'bonds': [[0, 1, 'bond']]},
            'D': {'beads': ['B', 'P'], 'bonds': [[0, 1, 'bond']]},
        },
        'backbone': {'bond': 'bond'},
        'counter_ions': {'S': 'Li', 'N': 'Cl', 'P': 'Ca'},
        'bjerrum_length': 5.0,
        'density': 0.7,
    }
    return validate(Model, content | changes, 'ionomer.toml')


def melt(model: Model, composition: dict[str, float], **changes: Any) -> gsd.hoomd.Frame:
    arguments: dict[str, Any] = {'chains': 6, 'degree_of_polymerisation': 10, 'seed': 3}
    return build_melt(model, composition=composition, **(arguments | changes))


def numbers(frame: gsd.hoomd.Frame) -> Counter[str]:
    return Counter(np.array(frame.particles.types)[frame.particles.typeid].tolist())


def test_divalent_ions_neutralise_the_melt_and_no_monomer() -> None:
    model = ionomer(counter_ions={'S': 'Ca', 'N': 'Cl', 'P': 'Ca'})
    frame = melt(model, {'E': 0.7, 'A': 0.3})
    assert numbers(frame) == {'B': 60, 'S': 18, 'Ca': 9}
    assert frame.particles.charge.sum() == 0.0
    with pytest.raises(
        UserError, match=r"charge -15 that 'Ca' .* takes 7\.5 .* 7 or 8 are possible"
    ):
        melt(model, {'E': 0.75, 'A': 0.25})


def test_trivalent_ions_and_charges_of_two() -> None:
    model = ionomer(counter_ions={'S': 'Al', 'N': 'Cl', 'P': 'Al'})
    frame = melt(model, {'E': 0.5, 'A': 0.2, 'D': 0.3})
    assert numbers(frame)['Al'] == (12 + 2 * 18) / 3
    assert frame.particles.charge.sum() == 0.0


def test_polyampholytes_need_no_ions_where_their_charges_balance() -> None:
    model = ionomer(counter_ions={'P': 'Ca'})
    frame = melt(model, {'A': 0.3, 'C': 0.3, 'E': 0.4})
    assert numbers(frame) == {'B': 60, 'S': 18, 'N': 18}
    assert frame.particles.charge.sum() == 0.0
    with pytest.raises(UserError, match=r"keeps a charge of \+6 \(-18 of monomers 'A', \+24 of"):
        melt(model, {'A': 0.3, 'C': 0.4, 'E': 0.3})


def test_ions_may_neutralise_what_chains_leave() -> None:
    model = ionomer(counter_ions={'S': {'Na': '1/3'}, 'P': 'Ca'})
    frame = melt(model, {'A': 0.3, 'C': 0.2, 'E': 0.5})
    assert numbers(frame) == {'B': 60, 'S': 18, 'N': 12, 'Na': 6}


def test_mixed_counter_ions_share_the_charge() -> None:
    shares = {'Li': 0.5, 'Ca': 0.5}
    model = ionomer(counter_ions={'S': shares, 'N': 'Cl', 'P': 'Al'})
    found = numbers(melt(model, {'E': 0.6, 'A': 0.4}))
    assert (found['S'], found['Li'], found['Ca']) == (24, 12, 6)
    with pytest.raises(UserError, match=r"takes 4\.5 .* of 'S' to 0\.444444444 or 0\.555555556"):
        melt(model, {'E': 0.7, 'A': 0.3})


def test_chance_may_not_decide_what_has_to_be_whole() -> None:
    by_chance = IdealSequence(exact_composition=False)
    frame = melt(ionomer(), {'E': 0.75, 'A': 0.25}, sequence=by_chance)
    assert frame.particles.charge.sum() == 0.0
    divalent = ionomer(counter_ions={'S': 'Ca', 'N': 'Cl', 'P': 'Ca'})
    with pytest.raises(UserError, match='exact_composition = false.*needs monomers'):
        melt(divalent, {'E': 0.75, 'A': 0.25}, sequence=by_chance)
    balanced = ionomer(counter_ions={'P': 'Ca'})
    with pytest.raises(UserError, match='exact_composition = false'):
        melt(balanced, {'A': 0.5, 'C': 0.5}, sequence=by_chance)


@pytest.mark.parametrize(
    ('amount', 'formula_units'),
    [({'per_monomer': 0.1}, 6), ({'per_monomer': '1/30'}, 2), ({'number': 5}, 5)],
)
def test_salts_are_free_ions(amount: dict[str, Any], formula_units: int) -> None:
    model = ionomer(salts={'X': {'cation': 'Ca', 'anion': 'Cl'} | amount})
    frame = melt(model, {'E': 1.0})
    assert numbers(frame) == {'B': 60, 'Ca': formula_units, 'Cl': 2 * formula_units}
    assert frame.particles.charge.sum() == 0.0
    assert len(set(frame.log[MOLECULE_ID])) == 6 + 3 * formula_units
    density = frame.particles.N / frame.configuration.box[0] ** 3
    assert density == pytest.approx(0.7)
    assert beads_in_melt(model, {'E': 60.0}, 0.7) == frame.particles.N


def test_a_salt_of_the_counter_ion_adds_to_it() -> None:
    model = ionomer(salts={'X': {'cation': 'Li', 'anion': 'Cl', 'number': 4}})
    frame = melt(model, {'E': 0.5, 'A': 0.5})
    assert numbers(frame) == {'B': 60, 'S': 30, 'Li': 34, 'Cl': 4}


def test_concentrations_are_those_of_the_box() -> None:
    solvent = {'beads': ['B', 'B'], 'bonds': [[0, 1, 'of water']], 'concentration': 0.1}
    model = ionomer(
        molecules={'W': solvent},
        salts={'X': {'cation': 'Li', 'anion': 'Cl', 'concentration': 0.02}},
    )
    frame = melt(model, {'E': 1.0}, chains=60, density=0.8)
    volume = frame.configuration.box[0] ** 3
    assert frame.particles.N / volume == pytest.approx(0.8)
    assert numbers(frame)['Li'] / volume == pytest.approx(0.02, abs=0.6 / volume)
    assert (numbers(frame)['B'] - 600) / 2 / volume == pytest.approx(0.1, abs=0.6 / volume)
    with pytest.raises(UserError, match=r'0\.24 beads per sigma\^3.*has 0\.2'):
        melt(model, {'E': 1.0}, density=0.2)
    with pytest.raises(UserError, match="'X': this melt would have 0"):
        melt(model, {'E': 1.0}, chains=1)


def test_molecules_are_whole_bent_and_counted_last() -> None:
    water = {
        'beads': ['B', 'S', 'N'],
        'bonds': [[0, 1, 'of water'], [0, 2, 'of water']],
        'angles': [[1, 0, 2, 'bent']],
        'per_monomer': 0.5,
    }
    frame = melt(ionomer(molecules={'W': water}), {'E': 0.5, 'A': 0.5})
    frame.validate()
    molecules = frame.log[MOLECULE_ID]
    assert np.array_equal(molecules[-90:], 36 + np.repeat(np.arange(30), 3))
    assert np.array_equal(frame.angles.group, 120 + np.arange(90).reshape(30, 3)[:, [1, 0, 2]])
    box = frame.configuration.box[0]
    ends = (frame.particles.position + frame.particles.image * box)[frame.bonds.group]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert lengths == pytest.approx(0.97, abs=1e-4)
    first, second = molecules[frame.bonds.group].T
    assert np.array_equal(first, second)


def test_what_is_added_leaves_the_chains_as_they_were() -> None:
    salt = {'X': {'cation': 'Na', 'anion': 'Cl', 'number': 5}}
    kinds = {'W': {'beads': ['B'], 'number': 7}}
    alone = melt(ionomer(), {'E': 0.5, 'A': 0.5})
    both = melt(ionomer(salts=salt, molecules=kinds), {'E': 0.5, 'A': 0.5})
    assert np.array_equal(alone.particles.typeid[:120], both.particles.typeid[:120])
    assert np.array_equal(alone.bonds.group, both.bonds.group)


def test_amounts_that_do_not_come_out_whole_are_refused() -> None:
    model = ionomer(salts={'X': {'cation': 'Li', 'anion': 'Cl', 'per_monomer': 0.11}})
    with pytest.raises(UserError, match="'X': per_monomer = 0.11 makes 6.6 .* 6 or 7 are possible"):
        melt(model, {'E': 1.0})
    model = ionomer(molecules={'W': {'beads': ['B'], 'number': 10**12}})
    with pytest.raises(UserError, match=r"'W': 1e\+12 molecules: at most"):
        melt(model, {'E': 1.0})


def test_charged_neighbours_are_looked_for_in_the_melt() -> None:
    monomers = {'E': {'beads': ['B']}, 'C': {'beads': ['N']}}
    model = ionomer(monomers=monomers)
    apart = PeriodicSequence(kind='periodic', spacing=5)
    frame = melt(model, {'E': 0.8, 'C': 0.2}, sequence=apart)
    assert numbers(frame) == {'B': 48, 'N': 12, 'Cl': 12}
    with pytest.raises(
        UserError, match="join the charged beads 'N' and 'N'.*coulomb_between_bonded"
    ):
        melt(model, {'E': 0.2, 'C': 0.8})
    melt(ionomer(monomers=monomers, coulomb_between_bonded=True), {'E': 0.2, 'C': 0.8})
