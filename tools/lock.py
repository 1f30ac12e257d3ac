"""Print exact versions of all that the pip route has installed here: requirements.lock."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.dependencies import stated_requirements


def installed_versions() -> dict[str, str]:
    """Stated dependencies and all that they need, with the versions installed here."""
    pending = [(requirement, '') for requirement in stated_requirements()]
    found: dict[str, str] = {}
    while pending:
        requirement, extra = pending.pop()
        name = canonicalize_name(requirement.name)
        if name in found or not _applies(requirement, extra):
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra that nobody asked for
        for text in requires(name) or []:
            pending.extend((Requirement(text), each) for each in ('', *requirement.extras))
    return found


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({'extra': extra})


if __name__ == '__main__':
    print('# Made by `make lock` from pyproject.toml: what the tests ran with.')
    for name, number in sorted(installed_versions().items()):
        print(f'{name}=={number}')
