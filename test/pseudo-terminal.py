"""Runs a program at a pseudo-terminal, types something when it is ready, and reports in JSON what became of the terminal.

usage: pseudo-terminal.py READY KEYS SIGNAL PROGRAM [ARGUMENT...]

KEYS are typed when READY has appeared, then a signal of that number is sent unless it is 0.
"""

import json, os, pty, select, sys, termios, time

ready, keys, signal = sys.argv[1], sys.argv[2].encode().decode('unicode_escape').encode('latin-1'), int(sys.argv[3])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[4], sys.argv[4:])

before = termios.tcgetattr(terminal)
output = b''


def collect(until, seconds):
    """Reads until a text has come, or the other end is closed."""
    global output
    end = time.time() + seconds
    while until is None or until not in output:
        if not select.select([terminal], [], [], max(0, end - time.time()))[0]:
            return
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            return
        if not piece:
            return
        output += piece


collect(ready.encode(), 30)
during = termios.tcgetattr(terminal)
os.write(terminal, keys)
if signal:
    time.sleep(0.3)
    os.kill(pid, signal)
# The settings outlive the program as long as this end is open.
_, status = os.waitpid(pid, 0)
collect(None, 0.2)
after = termios.tcgetattr(terminal)
LINE = termios.ICANON | termios.ECHO | termios.ISIG
print(json.dumps({
    'raw': during[3] & LINE == 0,
    'restored': after == before,
    'output': output.decode('latin-1'),
    'status': os.waitstatus_to_exitcode(status),
}))
