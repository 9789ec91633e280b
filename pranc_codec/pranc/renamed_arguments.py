"""Accept the former names of renamed keyword arguments, with a DeprecationWarning."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pranc_codec.errors import warn_renamed

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def accept_old_name(
    old: str, new: str
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function so that callers may still pass the argument `new` as `old`.

    A call with the old name gives a DeprecationWarning that points at the caller. A call with both
    names raises TypeError, as Python does for an argument that is passed twice.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Result:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{old}= is the former name of {new}=: give one of them")
                warn_renamed(f"{old}=", f"{new}=")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate
