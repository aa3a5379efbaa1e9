"""Programs and machines that a test installs."""

from abc import ABC, abstractmethod
from typing import Self


class Installation(ABC):
    """Base of a context manager whose programs run during the block, most of them in the cluster.

    They are also removed if the installation fails.
    """

    def __enter__(self) -> Self:
        try:
            self._install()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @abstractmethod
    def _install(self) -> None: ...

    @abstractmethod
    def _remove(self) -> None: ...
