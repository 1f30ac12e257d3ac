"""Command line: `python -m benchmarks [name ...] [--engine lammps|hoomd] [--json]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.analysis_memory import AnalysisMemory
from benchmarks.analysis_speed import AnalysisSpeed
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.checkpoint_overhead import CheckpointOverhead
from benchmarks.melt_build import MeltBuild
from benchmarks.one_pass import OnePass
from benchmarks.published_decks import PublishedDecks
from benchmarks.sampling_overhead import SamplingOverhead
from benchmarks.settings_scan import SettingsScan
