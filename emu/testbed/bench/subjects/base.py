"""A subject: how to start it, and how to ask its polling thread what it has done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from testbed.bench.model import Work

SUBJECT_CPU, GENERATOR_CPU = 0, 1


class NotSupported(Exception):
    """This machine or this build cannot run the subject; str() says why, in one line."""


class Worker(ABC):
    """The polling thread of a running subject."""

    pid: int  # of the process it belongs to

    @abstractmethod
    async def work(self) -> Work:
        """What it has done since it began."""


class Subject(ABC):
    name: str
    about: str

    @abstractmethod
    def start(self, directory: Path, sockets: list[Path]) -> AbstractAsyncContextManager[Worker]:
        """Listens on `sockets` when it is entered, its one polling thread on SUBJECT_CPU. NotSupported, RuntimeError."""
