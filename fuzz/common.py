"""Runs a target: seeds go into a corpus, options to libFuzzer, findings into a folder."""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

FINDINGS = Path(__file__).with_name("findings")


def run(target, seeds):
    """Fuzz a function of bytes, starting from these seeds."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds):
            Path(folder, f"seed{number}").write_bytes(seed)
        FINDINGS.mkdir(exist_ok=True)
        options = ["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=65536"]
        options += [f"-artifact_prefix={FINDINGS}/"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], folder], target)
        atheris.Fuzz()
