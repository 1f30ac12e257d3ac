"""To come."""

TITLE = 'ionomer'


def jobs():
    return iter(())
