# SPDX-License-Identifier: MIT
"""A person at a machine's serial console: keys go there, what it prints comes here. Ctrl-\\ leaves."""
import os
import select
import sys
import termios
import tty

LEAVE = b"\x1c"  # not Ctrl-], which leaves a console inside this one (mullion console)


def interact(vm):
    """Until the machine stops or the person leaves. Without a terminal, standard input is fed as it is."""
    console, keys, screen = vm.console[0], sys.stdin.fileno(), sys.stdout.fileno()
    saved = termios.tcgetattr(keys) if os.isatty(keys) else None
    sources = [console, keys]
    try:
        if saved:
            tty.setraw(keys)
        while True:
            ready, _, _ = select.select(sources, [], [])
            if console in ready:
                chunk = console.recv(65536)
                if not chunk:
                    return
                os.write(screen, chunk)
            if keys in ready:
                typed = os.read(keys, 4096)
                if saved and LEAVE in typed:
                    return
                if typed:
                    console.sendall(typed)
                else:
                    sources.remove(keys)
    except (ConnectionResetError, BrokenPipeError):
        return
    finally:
        if saved:
            termios.tcsetattr(keys, termios.TCSADRAIN, saved)


def drain(vm):
    """Throw away what the console has said so far (it is in the log)."""
    vm.console[0].setblocking(False)
    try:
        while vm.console[0].recv(65536):
            pass
    except BlockingIOError:
        pass
    vm.console[0].setblocking(True)
