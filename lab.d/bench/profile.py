# SPDX-License-Identifier: MIT
"""./lab profile: where the instructions of a boot and of starting a guest go, each one counted.

One machine boots our dom0 and starts the guest of docs/examples/web.json between two runs of tests/bench/mark.c, under the counting
plugin. Every phase is shown by space (hypervisor, dom0's kernel, programs) and by function, for the hypervisor and the kernel.
dom0 itself gives its kernel's names. Idle time executes nothing: it is the virtual time less the instructions.
"""
import bisect
import tempfile
from collections import Counter
from pathlib import Path

import demo
import images
import job
import machine
import paths
import sh
from bench import measure

SCRIPT = """\
cp /mnt/mark /run/mark && chmod 755 /run/mark || exit 1
ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
start=$(ms)
/run/mark
mullion apply /mnt/web.json || exit 1
/run/mark
echo "virtual time of apply: $(($(ms) - start)) ms"
grep -h 'running as domain' /var/log/mullion/*.log
echo @symbols
sed -n 's/\\t.*//; / [tTwW] /p' /proc/kallsyms
exit 0
"""
PHASES = ["the hypervisor boots", "dom0's kernel boots", "dom0's init, to the script", "mullion apply, to running"]


class Symbols:
    """Names of addresses, from lines as nm and /proc/kallsyms have them."""

    def __init__(self, *texts):
        known = sorted((int(parts[0], 16), parts[2]) for text in texts for line in text.splitlines()
                       for parts in [line.split()] if len(parts) == 3 and parts[1] in "tTwW")
        self.addresses, self.names = [address for address, _ in known], [name for _, name in known]

    def name(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 and address - self.addresses[at] < 1 << 20 else f"{address:#x}"


def phases(path, names):
    """[({space: instructions}, Counter of (space, function))] between the marks of the plugin's file."""
    found, before = [], dict.fromkeys(measure.SPACES, 0)
    for line in path.read_text().splitlines():
        if line.startswith("mark "):
            totals = dict(zip(measure.SPACES, map(int, line.split()[2:])))
            found.append(({space: totals[space] - before[space] for space in totals}, Counter()))
            before = totals
        elif found:
            _, address, count = line.split()
            address = int(address, 16)
            if address:
                found[-1][1]["hv" if address < 0xFFFF880000000000 else "dom0", names.name(address)] += int(count)
    return found[1:]                  # the first is the firmware's


def show(found, top):
    for title, (spaces, functions) in zip(PHASES, found):
        total = sum(spaces.values())
        print(f"{title}: {total / 1e6:,.1f} M instructions: "
              + ", ".join(f"{space} {count / 1e6:,.1f} ({100 * count // max(total, 1)} %)" for space, count in spaces.items() if count))
        for (space, name), count in functions.most_common(top):
            print(f"    {count / 1e6:9,.2f} M  {100 * count / total:5.1f} %  {space:<5} {name}")


def profile(options):
    made = images.all_images()
    which = machine.Machine(cpu=options.cpu or measure.CPU, icount=True)
    which.disks = [made["root"], made["guests"]]
    mark = paths.BUILD / "tests/bench/mark"
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        script, counts = Path(folder) / "script", Path(folder) / "counts"
        script.write_text(SCRIPT)
        which.extra = measure.counting(which.hypervisor(), counts, f"mark={measure.entry(mark):#x}", "blocks=on")
        result = job.run(which, script, files={"web.json": demo.DOCUMENT, "mark": mark}, timeout=measure.TIMEOUT, name="profile")
        said, _, kernel = result.output.partition("@symbols\n")
        if result.status != 0 or not kernel:
            raise sh.LabError(result.blame())
        print(said)
        show(phases(counts, Symbols(sh.output(["nm", which.hypervisor()]), kernel)), options.top)
    return 0
