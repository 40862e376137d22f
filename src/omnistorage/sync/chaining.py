"""A chain of steps can begin at the class: ``Filter.include("*.json")`` is ``Filter().include("*.json")``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

__all__ = ["Step"]

T = TypeVar("T")
P = ParamSpec("P")


class Step(Generic[T, P]):
    """Decorate a method that returns a changed copy; called on the class, it starts from an empty value."""

    def __init__(self, method: Callable[Concatenate[T, P], T]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: T | None, owner: type[T]) -> Callable[P, T]:
        method, start = self._method, owner() if instance is None else instance

        def step(*args: P.args, **kwargs: P.kwargs) -> T:
            return method(start, *args, **kwargs)

        step.__doc__ = self.__doc__
        return step
