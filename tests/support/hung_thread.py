"""A worker that hangs, for the tests of everything that must not wait for it."""

import ctypes
import os


class HungThread:
    """Stops the newest thread of a child, which is its last worker, as a debugger does."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    WALL = 0x40000000  # threads are waited for, too

    def __init__(self, pid):
        self.thread = max(int(name) for name in os.listdir(f"/proc/{pid}/task"))
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def __enter__(self):
        for request in (self.SEIZE, self.INTERRUPT):
            if self.libc.ptrace(request, self.thread, None, None) != 0:
                raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(self.thread, self.WALL)
        return self

    def __exit__(self, *unused):
        if self.libc.ptrace(self.DETACH, self.thread, None, None) != 0:
            os.waitpid(self.thread, self.WALL)  # it died meanwhile: its process ends once its tracer knows
