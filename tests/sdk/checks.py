"""What a check is: what was expected, what came, and a count of how often they were the same."""

from collections.abc import Callable
from typing import TypeVar

Raised = TypeVar("Raised", bound=Exception)


class Mismatch(Exception):
    """The first thing that is not as expected; it ends the whole run."""


class Checks:
    """The checks of one group."""

    def __init__(self) -> None:
        self.passed = 0

    def equal(self, actual: object, expected: object, what: str) -> None:
        """Both are the same."""
        self.true(actual == expected, f"{what}\n  expected: {expected!r}\n  came:     {actual!r}")

    def true(self, holds: bool, what: str) -> None:
        """This holds."""
        if not holds:
            raise Mismatch(what)
        self.passed += 1

    def raises(self, kind: type[Raised], call: Callable[[], object], what: str) -> Raised:
        """The call ends in this exception, which is returned."""
        try:
            answer = call()
        except kind as error:
            self.passed += 1
            return error
        raise Mismatch(f"{what}\n  expected: {kind.__name__}\n  came:     {answer!r}")
