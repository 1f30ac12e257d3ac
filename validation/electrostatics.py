"""To come."""

TITLE = 'electrostatics'


def jobs():
    return iter(())
