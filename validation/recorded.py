"""To come."""

TITLE = 'recorded'


def jobs():
    return iter(())
