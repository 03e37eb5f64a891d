"""How the targets are run: seeds into a corpus, options to libFuzzer."""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris


def run(target, seeds):
    """Fuzz a function of bytes, beginning with these."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds):
            Path(folder, f"seed{number}").write_bytes(seed)
        options = ["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=65536"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], folder], target)
        atheris.Fuzz()
