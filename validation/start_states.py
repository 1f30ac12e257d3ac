"""To come."""

TITLE = 'start_states'


def jobs():
    return iter(())
