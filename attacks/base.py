"""What an attack is, and the registry of attacks."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

from torch import Tensor

from attacks.access import ACCESSES, Access
from targets.errors import InputError
from targets.noise import Streams
from targets.registry import Registry

A = TypeVar("A", bound="type[Attack]")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Attack(ABC):
    """Base class of attacks. Subclasses are frozen dataclasses: each field is a hyper-parameter.

    The first line of the docstring is shown on the board and by ``list``. Fields appear in the cell's key, in the
    record and on the board; they must be numbers, strings, booleans or None.

    Attributes:
        access: the class of the object that the attack receives as ``model``, one of
            :data:`attacks.access.ACCESSES`.
        version: part of the cell's key. Raise it when a change alters what the attack returns.
        minimum_norm: whether it looks for the smallest perturbation whatever the budget, and may return images outside
            it, in whose place the original is sent.
        later: fields that were added to a published attack. One that has its default is left out of the parameters,
            so that results from before keep their keys.
    """

    access: ClassVar[type[Access]]
    version: ClassVar[int | str] = 1
    minimum_norm: ClassVar[bool] = False
    later: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        described = cls.__doc__
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        cls.__doc__ = described  # where there is none (python -OO), dataclass writes the signature

    @abstractmethod
    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images for a batch.

        Args:
            model: an instance of ``access``, the only way to the target.
            images: (N, C, H, W) in [0, 1]; N may be 0.
            labels: true labels (N,), int64.
            epsilon: ℓ2 budget in [0, 1] pixel units. The harness sends the original image where it is exceeded.
            generator: one random generator for each image. Draw from nothing else, so that results depend neither
                on the batch nor on what ran before.

        Returns:
            (N, C, H, W), finite, in [0, 1].
        """

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters by name, as the key and the board hold them."""
        parameters: dict[str, Any] = dataclasses.asdict(self)  # type: ignore[call-overload]
        unchanged = {name for name in self.later if parameters[name] == getattr(type(self), name)}
        return {name: value for name, value in parameters.items() if name not in unchanged}

    @classmethod
    def summary(cls) -> str:
        """The docstring's first line; empty where there is none."""
        return next(iter((cls.__doc__ or "").strip().splitlines()), "")


ATTACKS: Registry[type[Attack]] = Registry("attack")


def register(name: str) -> Callable[[A], A]:
    """Class decorator: put an attack on the board under ``name``.

    Raises:
        InputError: the name is taken, or the class is not an attack or declares no access.
    """

    def decorate(cls: A) -> A:
        if not (isinstance(cls, type) and issubclass(cls, Attack)):
            raise InputError(f"{getattr(cls, '__name__', cls)!r} is not an attack: derive it from attacks.Attack")
        access = getattr(cls, "access", None)
        if not (isinstance(access, type) and issubclass(access, Access) and hasattr(access, "kind")):
            *most, last = (each.__name__ for each in ACCESSES)
            raise InputError(f"attack {name!r} declares no access: set access = {', '.join(most)} or {last}")
        ATTACKS.add(name, cls)
        return cls

    return decorate
