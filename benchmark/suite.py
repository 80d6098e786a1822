"""A suite: targets, attacks and settings of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from attacks import ATTACKS, Attack, Decision, Transfer
from targets import DATA, TARGETS, InputError
from targets.data import evenly_spaced
from targets.limits import check_length, check_samples, check_test, check_whole, is_finite
from targets.registry import check_name, unknown


@dataclass(frozen=True)
class Suite:
    """Targets, attacks and every setting that can change a result.

    Attributes:
        targets, attacks: shell-style patterns of registered names.
        epsilons: ℓ2 budgets in [0, 1] pixel units.
        images: number of evaluation images, evenly spaced over the split.
        offset: index of the first of them. The name of a suite with an offset ends with it, so that its rows never mix
            with those of other images.
        samples: PREDICT's n.
        alpha: PREDICT's error level.
        seed: of every random stream.
        ceiling_samples: noise samples an image behind its ceiling and certified radius.
        ceiling_samples_max: the most noise samples an image behind its ceiling, where more than ``ceiling_samples`` may
            decide (`targets.looks`); 0 for no more.
        shard: most images a cell.
        query_budgets: most queries an image, for attacks of metered access: they run once for each budget. Empty for
            one run without a limit.
        best_of: whether each access class gets a row with the best of its attacks, image by image.
        settings: hyper-parameters by attack name, in place of the attack's defaults.
    """

    name: str
    targets: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    epsilons: tuple[float, ...] = (0.25, 0.5, 1.0)
    images: int = 100
    offset: int = 0
    samples: int = 1000
    alpha: float = 0.001
    seed: int = 0
    ceiling_samples: int = 10_000
    ceiling_samples_max: int = 0
    shard: int = 100
    query_budgets: tuple[int, ...] = ()
    best_of: bool = False
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check(self, with_data: bool = True) -> None:
        """Raise :class:`InputError` for the first setting that cannot be run.

        Args:
            with_data: whether it is one that a data set cannot be loaded. Without, nothing is loaded, and no number of
                images is too large for a data set that does not say its size.
        """
        for name in ("targets", "attacks", "epsilons"):
            if not getattr(self, name):
                raise InputError(f"suite {self.name!r} names no {name}; give at least one in the file or by --{name}")
        check_name("suite", self.name)
        for epsilon in self.epsilons:
            check_length("epsilon", epsilon)
        for name in ("images", "shard"):
            check_whole(name, getattr(self, name), least=1)
        if self.offset and not self.name.endswith(f"-from-{self.offset}"):
            raise InputError(
                f"suite {self.name!r} starts at image {self.offset}; name it {self.name}-from-{self.offset}, so that "
                "its rows do not mix with those of other images"
            )
        for budget in self.query_budgets:
            check_whole("a query budget", budget, least=1)
        check_whole("seed", self.seed)
        check_samples("ceiling_samples", self.ceiling_samples, least=2)
        if self.ceiling_samples_max:
            if self.ceiling_samples_max <= self.ceiling_samples:
                raise InputError(
                    f"ceiling_samples_max is {self.ceiling_samples_max:,}; give more than ceiling_samples, which is "
                    f"{self.ceiling_samples:,}, or 0 for no more"
                )
            check_samples("ceiling_samples_max", self.ceiling_samples_max)
        check_test(self.samples, self.alpha)
        for name in self.settings:
            self.attack(name)
        owners = [name for name in self.attack_names() if issubclass(ATTACKS[name].access, Transfer | Decision)]
        for name in self.target_names():
            data = DATA[TARGETS[name].data]
            if with_data:  # if one cannot be loaded, one error here and not one in every row
                data.split("evaluation")
                if owners:
                    data.split("adversary")
            elif data.size is None:
                continue
            if data.exposed(self.indices(name)) and owners:
                available = data.evaluation_size
                multiple = f" and an offset that is a multiple of {data.held_back}" if self.offset else ""
                raise InputError(
                    f"some of {self.images} evenly spaced images of {data.name} are among the adversary's own, which "
                    f"{owners[0]} knows; give a number that divides {available // data.held_back}{multiple}, or leave "
                    "out attacks of transfer, hybrid and decision access"
                )

    def target_names(self) -> list[str]:
        """Names of the targets."""
        return TARGETS.match(self.targets)

    def indices(self, target: str) -> list[int]:
        """Indices of its images in the evaluation split of a target's data set."""
        return evenly_spaced(DATA[TARGETS[target].data].evaluation_size, self.images, self.offset)

    def attack_names(self) -> list[str]:
        """Names of the attacks."""
        return ATTACKS.match(self.attacks)

    def attack(self, name: str) -> Attack:
        """The attack with this suite's settings. Raises :class:`InputError` for settings that it cannot have."""
        cls = ATTACKS[name]
        settings = self.settings.get(name, {})
        defaults = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for key, value in settings.items():
            if key not in defaults:
                raise unknown(f"hyper-parameter of {name}", key, defaults)
            check_type(f"settings.{name}.{key}", value, defaults[key])
            default: Any = defaults[key]
            if isinstance(default, int) and default > 0 > value:
                raise InputError(f"settings.{name}.{key} is {value}; give a number that is not negative")
            if isinstance(value, int):
                check_whole(f"settings.{name}.{key}", value)
            # 1 and 1.0 are the same setting, so they must give the same key.
            values[key] = float(value) if isinstance(defaults[key], float) else value
        try:
            return cls(**values)
        except (InputError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever a plugin's attack raises for its hyper-parameters
            raise InputError(f"settings.{name}: {type(error).__name__}: {error}") from error


def check_type(key: str, value: Any, example: Any) -> None:
    """Raise :class:`InputError` for a value from TOML that is not of ``example``'s type."""
    if isinstance(example, bool):
        fits = isinstance(value, bool)
    elif isinstance(example, int):
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(example, float):
        fits = is_finite(value)
    elif example is None:
        fits = isinstance(value, bool | int | str) or is_finite(value)
    else:
        fits = isinstance(value, type(example))
    if not fits:
        raise InputError(f"{key} is {value!r}; give {_article(example)}")


def _article(example: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
    return "a text or a number" if example is None else kinds.get(type(example), "a table")
