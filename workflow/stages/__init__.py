"""The stages of a simulation: how they run, are kept, resumed and judged."""
