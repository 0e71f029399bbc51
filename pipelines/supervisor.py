"""A run in a child of its own, so that somebody is left to say why it ended when the system kills it for memory.

In: the work. Out: its exit code, and a sentence on stderr when it was killed. Knows nothing of what the work does.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from assets.shared.errors import UserError
from assets.shared.settings import gibibytes, load_settings
from pipelines.log_lines import say

#: Linux's number for "send me this signal when my parent ends" (prctl(2)).
PR_SET_PDEATHSIG = 1


def run_supervised(work: Callable[[], int]) -> int:
    """Do `work` in a child process and return its exit code, 128 + n where signal n ended it.

    Must be called before any thread is started. The child ends with its parent, however that ends, so killing the
    command kills the run. Where the system cannot promise that (not Linux), the work is done here, unwatched.
    """
    if sys.platform != "linux":
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the promise was made
            os._exit(128 + signal.SIGKILL)
        return work()
    # What the terminal sends reaches both; the child decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL:
        say(f"error: {killed()}", "error")
    os._exit(code if code >= 0 else 128 - code)


def killed() -> UserError:
    """What to report about a run that was killed outright, which could not report it itself."""
    limit = gibibytes(load_settings().memory_bytes)
    return UserError(
        "the run was killed from outside, most likely because the machine or its container ran out of memory (the run "
        f"may take {limit}); what is published is as it was",
        "set HOLDFAST_MEMORY_LIMIT to less than is free (for example HOLDFAST_MEMORY_LIMIT=4GB): what does not fit is "
        "put on disk. Then run again",
    )
