"""Numbers of things in words."""

__all__ = ["counted"]


def counted(number: int, noun: str, rest: str = "") -> str:
    """Write how many of a thing there are: "1 problem", "1,055 problems".

    Args:
        number: How many.
        noun: Of one of them, with an s for more.
        rest: A verb that follows it where it is of two forms, by the form of many: "have", "are" or "were".
    """
    if rest:
        rest = " " + ({"have": "has", "are": "is", "were": "was"}[rest] if number == 1 else rest)
    return f"{number:,} {noun}{'' if number == 1 else 's'}{rest}"
