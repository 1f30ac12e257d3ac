"""The files of a job and of a workspace: written whole, locked, recorded, checked."""
