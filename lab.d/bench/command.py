# SPDX-License-Identifier: MIT
"""./lab bench, from its options to its exit status."""
import json
from pathlib import Path

import images
import kernels
import paths
import sh
from bench import chart, measure, rows, table
from progress import say, step

KEPT = paths.TREE / "docs/figures"


def _wanted(text):
    try:
        return rows.parse(text) if text else set(rows.BY_NUMBER)
    except ValueError as error:
        raise sh.LabError(f"--rows: {error}") from None


def bench(options):
    """Measure, print, keep; 1 when a figure is worse than in the file of --against."""
    wanted = _wanted(options.rows)
    if options.keep and wanted != set(rows.BY_NUMBER):
        raise sh.LabError("--keep is for a run of all rows")
    with paths.only_one("images"), step("images"):
        images.peer_hypervisor()
        kernels.vmlinux(kernels.DOM0)
        images.peer_tools()
        images.peer_libraries()
    with step("measure") as at:
        figures = measure.measure(wanted, at)
    if options.host_time:
        with step("host time") as at:
            measure.host_time(figures, at)
    document = table.document(figures)
    written = {"bench.json": json.dumps(document, indent=1) + "\n", "bench.svg": chart.svg(document)}
    for folder in [paths.BUILD] + ([KEPT] if options.keep else []):
        folder.mkdir(parents=True, exist_ok=True)
        for name, words in written.items():
            (folder / name).write_text(words)
    print(written["bench.json"] if options.output == "json" else table.text(figures))
    if options.host_time and options.output != "json":
        print(table.host_text(figures))
    lines = table.worse(figures, Path(options.against)) if options.against else []
    for line in lines:
        say(f"  {line}")
    return 1 if lines else 0
