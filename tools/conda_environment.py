"""Print environment.yml: the conda route, with HOOMD-blue."""

from __future__ import annotations

from tools.dependencies import project_table, stated_requirements


def environment() -> str:
    """Content of environment.yml."""
    table = project_table()
    conda = table['tool']['isp-cgmd']['conda']
    lines = [f'python{table["project"]["requires-python"]}', *conda['only']]
    for requirement in stated_requirements():
        if requirement.name not in conda['without']:
            name = conda['names'].get(requirement.name, requirement.name)
            lines.append(f'{name}{requirement.specifier}')
    entries = '\n'.join(f"  - '{line}'" for line in sorted(lines))
    return (
        '# Made by `make environment.yml` from pyproject.toml.\n'
        f'name: {table["project"]["name"]}\n'
        'channels:\n  - conda-forge\n  - nodefaults\n'
        f'dependencies:\n{entries}\n'
    )


if __name__ == '__main__':
    print(environment(), end='')
