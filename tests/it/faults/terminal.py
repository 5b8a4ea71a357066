"""Runs a program on a terminal of its own and types what it is told to.

terminal.py PROGRAM ARG… with the typing on stdin, one line a prompt: a text to wait for, a tab, what to
type then (as a JSON string). Prints what the program said, and leaves with its code.
"""

import json
import os
import pty
import select
import sys
import time

steps = [line.split("\t") for line in sys.stdin.read().splitlines()]
steps = [(wait, json.loads(typed)) for wait, typed in steps]
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said, read_to, deadline = b"", 0, time.time() + 60
while time.time() < deadline:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        said += more
    if steps and steps[0][0].encode() in said[read_to:]:
        read_to = len(said)
        os.write(terminal, steps.pop(0)[1].encode())
else:
    os.kill(child, 9)
sys.stdout.write(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
