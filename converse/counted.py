"""Numbers with their nouns: 1 image, 2 images, 1 of 2 images."""

from __future__ import annotations


def counted(number: int, noun: str, *, of: int | None = None) -> str:
    """A number of things.

    Args:
        number: how many.
        noun: one of them, whose plural ends in s: ``image``, ``validation image``.
        of: how many there are in all.

    Example:
        >>> from converse.counted import counted
        >>> counted(1, "image"), counted(2, "image"), counted(0, "image", of=1), counted(1, "image", of=1200)
        ('1 image', '2 images', '0 of 1 image', '1 of 1,200 images')
    """
    if of is not None:
        return f"{number:,} of {counted(of, noun)}"
    return f"{number:,} {agreeing(number, noun, f'{noun}s')}"


def agreeing(number: int, one: str, more: str) -> str:
    """The form of a word that a number asks for: ``is`` of one, ``are`` of more, and of none.

    Args:
        number: how many.
        one: the form for one.
        more: that for any other number.
    """
    return one if number == 1 else more
