# SPDX-License-Identifier: MIT
"""./lab bench: the performance table, ours beside Debian's Xen 4.17, in one run.

    rows.py      what each row measures, in what unit, with what goal; how a figure is judged
    measure.py   the instruments: how a row's figures are got from a machine
    table.py     the figures as text and JSON, and against an earlier file
    chart.py     the figures as a bar chart
    profile.py   ./lab profile: where the instructions of a boot and of starting a guest are spent
    lines.py     row 25, the lines of trusted code
"""
