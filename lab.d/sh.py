# SPDX-License-Identifier: MIT
"""Running programs: their output goes to a log under build/logs, and a failure says what failed and where the log is."""
import subprocess

import paths


class LabError(Exception):
    """Something a person must know: what failed, where, and where the log is."""


def tail(path, lines=25):
    try:
        text = path.read_text(errors="replace").replace("\r", "")
    except OSError:
        return "(no log)"
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def run(command, log, *, cwd=None, env=None, stdin=None, on_line=None):
    """Run `command` (a list) with its output appended to build/logs/<log>.log; `on_line` sees each line as it comes."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    path = paths.LOGS / f"{log}.log"
    with open(path, "ab", buffering=0) as out:
        out.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        if on_line is None:
            status = subprocess.run(command, stdout=out, stderr=out, cwd=cwd, env=env,
                                    stdin=stdin or subprocess.DEVNULL).returncode
        else:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=env,
                                  stdin=stdin or subprocess.DEVNULL) as child:
                for line in child.stdout:
                    out.write(line)
                    on_line(line.decode(errors="replace").rstrip())
            status = child.returncode
    if status:
        raise LabError(f"{command[0]} failed with status {status}; the log is {path}, and ends:\n{tail(path)}")


def output(command, **how):
    """The standard output of `command` as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, command))} failed with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout
