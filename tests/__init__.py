"""Tests: physics and behaviour, on real engines and real files."""
