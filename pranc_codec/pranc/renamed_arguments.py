"""Keyword arguments that were renamed: the old name still works, with a DeprecationWarning."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

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
                message = f"the argument {old!r} is now called {new!r}: use {new}="
                if new in kwargs:
                    raise TypeError(message)
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate
