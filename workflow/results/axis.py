"""The axis that a sweep is reported along, and what else varies in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.model import Model
from user_input import UserError, nearest_name
from workflow.sweep.sweep_file import ReportTable

AxisValue = float | str
# Value on each axis, by the column of its name.
Place = Mapping[str, AxisValue]
Key = tuple[tuple[str, AxisValue], ...]

_COMPOSITION = 'composition.'
_KT = 'kT'
_LABELS = {_KT: r'$k_\mathrm{B}T$ [$\epsilon$]'}


@dataclass(frozen=True)
class Axis:
    """What a sweep is drawn against and ordered by.

    Attributes:
        key: Dotted key of the state point; empty where nothing varies.
        column: In `summary.csv`; that of kT where nothing varies.
        name: In tables and sentences; `label` is for the axis of a figure.
    """

    key: str
    column: str
    name: str
    label: str

    def value(self, point: Mapping[str, Any]) -> float:
        """Find the place of a state point on it."""
        if self.key.startswith(_COMPOSITION):
            return float(point['composition'].get(self.key.removeprefix(_COMPOSITION), 0.0))
        return float(_flatten(point)[self.key])

    def text(self, value: float) -> str:
        """Write a place on it as in a sentence."""
        return f'{self.name} {value_text(value)}'


def make_axis(key: str, label: str = '') -> Axis:
    """Make the axis of a key of the state point; a label that is not given follows from the key."""
    if key.startswith(_COMPOSITION):
        name = key.removeprefix(_COMPOSITION)
        return Axis(key, f'{name.lower()}_fraction', name, label or f'{name} mole fraction')
    name = key.replace('.', ' ').replace('_', ' ') or _KT
    return Axis(key, key.replace('.', '_') or _KT, name, label or _LABELS.get(name, name))


def find_axis(report: ReportTable, model: Model, points: Sequence[Mapping[str, Any]]) -> Axis:
    """Find the axis of a sweep from its state points, as plain values.

    Where the report names none, it is the mole fraction of the one monomer that carries charges;
    where there is none or several, the first number that varies, kT before others.
    """
    ionic = [
        name
        for name, monomer in model.monomers.items()
        if any(model.beads[bead].charge for bead in monomer.beads)
    ]
    key = report.x
    if key is None and len(ionic) == 1:
        key = _COMPOSITION + ionic[0]
    if key is None:
        numbers = [key for key in _numbers(points) if _varies(key, points)]
        key = next(iter(sorted(numbers, key=lambda each: each != _KT)), '')
    return make_axis(key, report.label or '')


def check_axis(report: ReportTable, model: Model, point: Mapping[str, Any]) -> None:
    """Raise a UserError where the axis that is named is no number of `point`, a state point."""
    if report.x is None:
        return
    known = {*_numbers([point]), *(_COMPOSITION + name for name in model.monomers)}
    if report.x not in known:
        raise UserError(
            f"report.x: the state points have no number '{report.x}'. "
            f'{nearest_name(report.x, known)}'
        )


def places_of(points: Sequence[Mapping[str, Any]], axis: Axis) -> list[dict[str, AxisValue]]:
    """Find each state point's value on the axis, kT, and all else that varies but the replica.

    Nested tables have dotted names. The monomers count where the axis does not fix the whole
    composition, as `composition_<monomer>`.
    """
    flat = [_flatten({k: v for k, v in point.items() if k != 'composition'}) for point in points]
    compositions: list[dict[str, AxisValue]] = [dict(point['composition']) for point in points]
    of_axis = axis.key.removeprefix(_COMPOSITION)
    on_axis = {composition.get(of_axis, 0.0) for composition in compositions}
    if len({json.dumps(each, sort_keys=True) for each in compositions}) > len(on_axis):
        monomers = sorted({name for each in compositions for name in each} - {of_axis})
        for values, composition in zip(flat, compositions, strict=True):
            for name in monomers:
                values[f'composition_{name}'] = composition.get(name, 0.0)
    names = dict.fromkeys(name for values in flat for name in values)
    varying = [name for name in names if len({values.get(name, '') for values in flat}) > 1]
    if 'model' in varying and 'model_hash' in varying:
        varying.remove('model_hash')
    others = [name for name in varying if name not in (_KT, 'replica', axis.key)]
    places: list[dict[str, AxisValue]] = []
    for point, values in zip(points, flat, strict=True):
        place: dict[str, AxisValue] = {axis.column: axis.value(point)} if axis.key else {}
        place[_KT] = float(point[_KT])
        places.append(place | {name: values.get(name, '') for name in others})
    return places


def drawn_axis(axis: Axis, places: Sequence[Place]) -> Axis:
    """Choose the axis if it varies; else kT, or the first other number that varies."""
    for name in (axis.column, _KT, *(places[0] if places else ())):
        values = [place.get(name, '') for place in places]
        if len(set(values)) > 1 and all(isinstance(value, float) for value in values):
            return axis if name == axis.column else replace(make_axis(name), column=name)
    return axis


def key_of(place: Place, *left_out: str) -> Key:
    """Say where a state is on all axes but those left out, to group states by."""
    return tuple((name, value) for name, value in place.items() if name not in left_out)


def value_text(value: AxisValue) -> str:
    """Write a value on an axis, for tables and legends."""
    if isinstance(value, str):
        return value
    return f'{value:.4g}' if abs(value) < 1e4 else f'{value:.7g}'


def place_text(place: Place, axis: Axis) -> str:
    """Write a place in words: 'A 0.33, kT = 1, chains = 24'."""
    return ', '.join(
        axis.text(value)
        if column == axis.column != _KT and isinstance(value, float)
        else f'{column} = {value_text(value)}'
        for column, value in place.items()
    )


def _numbers(points: Iterable[Mapping[str, Any]]) -> list[str]:
    """List dotted keys of all numbers but the replica, in the order of the state points."""
    flat = [item for point in points for item in _flatten(point).items()]
    return list(dict.fromkeys(k for k, v in flat if isinstance(v, float) and k != 'replica'))


def _varies(key: str, points: Sequence[Mapping[str, Any]]) -> bool:
    values = [_flatten(point).get(key, '') for point in points]
    return len(set(values)) > 1 and all(isinstance(value, float) for value in values)


def _flatten(values: Mapping[str, Any], prefix: str = '') -> dict[str, AxisValue]:
    flat: dict[str, AxisValue] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f'{prefix}{key}.')
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + key] = float(value)
        elif value is not None:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat
