"""Takes from Python what Windows lacks; with this folder in PYTHONPATH, Python runs it before anything is imported.

Not imitated: `sys.platform` and `os.name`, by which libraries choose their code, so that numpy needs `os.uname`;
`msvcrt` and `nt`, so filelock, psutil and shutil keep `fcntl` and an `os` of their own; the console; paths with drives
and backslashes; files that another process has open.
"""

import ctypes
import os
import platform
import select
import shutil
import signal
import stat
import sys
from types import SimpleNamespace

import filelock  # noqa: F401
import psutil  # noqa: F401

MODULES = ("fcntl", "grp", "posix_ipc", "pty", "pwd", "resource", "syslog", "termios", "tty")
OF_OS = """chown fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority
getsid getuid initgroups killpg lchown lockf mkfifo mknod nice openpty pipe2 posix_fadvise posix_fallocate posix_spawn
posix_spawnp pread preadv pwrite pwritev readv sched_getaffinity sched_setaffinity sched_yield sendfile setegid seteuid
setgid setgroups setpgid setpgrp setpriority setregid setreuid setsid setuid statvfs fstatvfs sync sysconf tcgetpgrp
tcsetpgrp ttyname wait wait3 wait4 waitid writev memfd_create O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_SYNC
EX_TEMPFAIL EX_OK confstr ctermid"""
OF_SIGNAL = """SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 SIGWINCH alarm
pause pthread_kill setitimer getitimer siginterrupt sigpending sigwait sigwaitinfo sigtimedwait"""
OF_SELECT = "poll epoll"
FORBIDDEN_IN_NAMES = set('<>:"|?*\\')


class Library(ctypes.CDLL):
    def __init__(self, name, *args, **kwargs):
        if name is None:  # as LoadLibrary does
            raise TypeError("bad argument type for built-in operation")
        super().__init__(name, *args, **kwargs)


def in_use(path):
    """Whether this process has a file open or mapped: Windows neither renames nor deletes it then."""
    path = os.path.realpath(os.fsdecode(path))
    if not os.path.isfile(path):
        return False
    opened = []
    for number in os.listdir("/proc/self/fd"):
        try:
            opened.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # that of the listing
            continue
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        return path in opened or any(line.rstrip().endswith(f" {path}") for line in maps)


def of_filelock(frame):
    """Whether filelock has called, by itself or by pathlib; it does otherwise on Windows."""
    return any(f and f.f_globals["__name__"].startswith("filelock") for f in (frame, frame.f_back))


def refuse(event, args):
    """An audit hook: raises the error that Windows would."""
    if event in ("os.remove", "os.rename") and not of_filelock(sys._getframe(1)):
        for path in args[: 1 if event == "os.remove" else 2]:
            if in_use(path):
                raise PermissionError(13, "The process cannot access the file because it is being used", path)
    elif event in ("open", "os.mkdir") and isinstance(args[0], (str, bytes)):
        path = os.fsdecode(args[0])
        name = os.path.basename(path)
        writes = event == "os.mkdir" or args[2] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
        if writes and (FORBIDDEN_IN_NAMES & set(name) or name.endswith((".", " "))):
            raise OSError(22, "The filename, directory name, or volume label syntax is incorrect", path)
        if event == "open":
            try:
                folder = stat.S_ISDIR(os.stat(path).st_mode)
            except OSError:
                return
            if folder:
                raise PermissionError(13, "Permission denied", path)


for name, module in sys.modules.items():
    if name.startswith(("filelock", "shutil")) and getattr(module, "os", None) is os:
        module.os = SimpleNamespace(**vars(os))
for module in MODULES:
    sys.modules[module] = None
for where, names in ((os, OF_OS), (signal, OF_SIGNAL), (select, OF_SELECT)):
    for name in names.split():
        vars(where).pop(name, None)
ctypes.CDLL = Library
HAS = {signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGINT, signal.SIGSEGV, signal.SIGTERM}
signal.valid_signals = lambda: HAS
platform.system = lambda: "Windows"  # Lightning asks for it
shutil._use_fd_functions = False  # it opens folders
sys.addaudithook(refuse)
