"""Where trials on other machines leave what they have to tell: a process that loads nothing."""

from __future__ import annotations


class Mailbox:
    """Letters in the order in which they came; what is in them is bytes here."""

    def __init__(self) -> None:
        self._letters: list[tuple[int, bytes]] = []

    def put(self, attempt: int, letter: bytes) -> None:
        """Leave a letter.

        Args:
            attempt: whose it is.
            letter: pickled.
        """
        self._letters.append((attempt, letter))

    def take(self) -> list[tuple[int, bytes]]:
        """All letters since the last call."""
        letters, self._letters = self._letters, []
        return letters
