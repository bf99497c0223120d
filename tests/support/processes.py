"""Child processes that always die: with the test that started them, and with whatever they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(with_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a child runs between fork and exec so that the kernel ends it when its parent's thread ends."""

    def arm() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)

    return arm


@dataclass
class ChildProcess:
    """One child in a process group of its own. Leaving the `with` block kills the whole group."""

    popen: subprocess.Popen[str]
    stop_signal: signal.Signals = signal.SIGKILL
    stop_timeout_s: float = 20.0
    _closed: bool = field(default=False, init=False)

    @classmethod
    def start(
        cls,
        arguments: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
        user: str | None = None,
        stdin: int | IO[str] | None = subprocess.DEVNULL,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        pass_fds: Sequence[int] = (),
        stop_signal: signal.Signals = signal.SIGKILL,
    ) -> Self:
        """Start a child; `user` needs root. `stop_signal` is the polite one, SIGKILL always follows."""
        popen = subprocess.Popen(
            [str(part) for part in arguments],
            env=dict(environment) if environment is not None else None,
            cwd=working_directory,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            text=True,
            process_group=0,
            preexec_fn=die_with_parent(stop_signal),  # noqa: PLW1509 - one prctl call, no locks taken
        )
        return cls(popen, stop_signal)

    @property
    def pid(self) -> int:
        """The child's process id, which is its group's as well."""
        return self.popen.pid

    def wait(self, *, timeout_s: float) -> int:
        """The exit status, negative for a signal; raises TimeoutExpired when the child outlives the limit."""
        return self.popen.wait(timeout=timeout_s)

    def kill(self) -> None:
        """SIGKILL to the whole group, then reap: what a crash of the process looks like."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(timeout=self.stop_timeout_s)

    def stop(self) -> int:
        """Ask, wait, then kill; closes the pipes and returns the exit status."""
        if not self._closed:
            self._closed = True
            if self.popen.poll() is None and self.stop_signal is not signal.SIGKILL:
                self.popen.send_signal(self.stop_signal)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.popen.wait(timeout=self.stop_timeout_s)
            self.kill()
            for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        return int(self.popen.returncode)

    def __enter__(self) -> Self:
        """The started thing itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever happened inside."""
        self.stop()
