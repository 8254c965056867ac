#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print calls.h for the random guest: every hypercall and sub-operation the hypervisor dispatches.

    calls.py HYPERVISOR_SOURCES OUTPUT

The hypervisor's own tables are the only list: hypercall_table in arch/x86/pv/hypercall.c, and each
`[PREFIX_name] =` or `case PREFIX_name:` of the sub-operation tables. A table that this cannot read
(no hypercalls, a family without a sub-operation) is an error, so that nothing is left out silently.
"""
import pathlib
import re
import sys

# Which hypercall takes the sub-operations of a public header's prefix.
FAMILIES = {
    "MMUEXT": "mmuext_op", "EVTCHNOP": "event_channel_op", "GNTTABOP": "grant_table_op",
    "XENMEM": "memory_op", "SCHEDOP": "sched_op", "VCPUOP": "vcpu_op", "XEN_DOMCTL": "domctl",
    "XEN_SYSCTL": "sysctl", "PHYSDEVOP": "physdev_op", "XENPF": "platform_op",
    "CALLBACKOP": "callback_op", "XENNMI": "nmi_op", "XENVER": "xen_version",
    "VMASST_CMD": "vm_assist", "SEGBASE": "set_segment_base",
}
ROW = re.compile(r"\[(__HYPERVISOR_\w+)\]\s*=\s*\{\s*\w+,\s*(\d+),\s*(HC_\w+),\s*\"(\w+)\"", re.S)


def main():
    root, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = "\n".join(p.read_text(encoding="utf-8") for folder in ("common", "arch/x86")
                     for p in sorted((root / folder).rglob("*.c")))
    rows = ROW.findall((root / "arch/x86/pv/hypercall.c").read_text(encoding="utf-8"))
    if len(rows) < 20:
        sys.exit(f"calls.py: only {len(rows)} rows of hypercall_table understood")
    lines = ["/* Made by calls.py from the hypervisor's dispatch tables. */"]
    ops_of = {}
    for prefix, call in FAMILIES.items():
        found = set(re.findall(rf"\[({prefix}_(?!SCHEDOP|CPUPOOL)\w+)\]\s*=", text))
        found |= set(re.findall(rf"case ({prefix}_\w+):", text))
        if re.search(rf"\[{prefix}_\w+\s*\.\.\.|case {prefix}_\w+\s*\.\.\.", text):
            sys.exit(f"calls.py: a range of sub-operations {prefix}_*: write each")
        if not found:
            sys.exit(f"calls.py: no sub-operation {prefix}_* found")
        ops_of[call] = sorted(found)
        lines.append(f"static const unsigned int ops_{call}[] = {{{', '.join(ops_of[call])}}};")
    lines.append("static const struct fuzz_call fuzz_calls[] = {")
    for number, args, privilege, name in rows:
        call = name.removesuffix("_compat")
        ops = f"ops_{call}, ARRAY_SIZE(ops_{call})" if call in ops_of else "NULL, 0"
        lines.append(f'    {{{number}, {args}, {int(privilege != "HC_ANY")}, "{name}", {ops}}},')
    new = "\n".join(lines + ["};", ""])
    if not output.exists() or output.read_text(encoding="utf-8") != new:
        output.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
