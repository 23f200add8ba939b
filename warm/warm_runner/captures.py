"""Records what modules read from their surroundings while they are imported.

A module that read a variable or a setting of Ansible at import keeps what it saw. A run for which
the same reading would give something else must not use that module: it goes cold. So nobody has to
know which modules do that, in which release. Generators of random numbers are seeded again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

# Read again in every run (see refresh.py), so what they saw does not matter.
_REFRESHED_MODULES = {
    "ansible.config.manager",
    "ansible.constants",
    "ansible.plugins.loader",
    "ansible.utils.color",
}
# Set anew in every run, or not kept by the standard library functions that read them.
_HARMLESS_READERS = {"posixpath", "ntpath", "subprocess", "tempfile", "shutil", "locale", "os"}
# What stands between os.environ and the module that asks it.
_MAPPINGS = {"os", "collections.abc", "_collections_abc", __name__}


class Captures:
    def __init__(self) -> None:
        self.variables: dict[str, str | None] = {}
        self.settings: dict[str, Any] = {}
        self.readers: dict[str, set[str]] = {}
        # Those that were seeded by chance, which is another one for each run.
        self.generators: set[random.Random] = set()

    def differing_variables(self, environment: Mapping[str, str]) -> dict[str, set[str]]:
        """The variables that modules have seen with other values, and which modules."""
        return {
            name: self.readers[name]
            for name, value in self.variables.items()
            if environment.get(name) != value
        }

    def differing_setting(self, constants: ModuleType) -> str:
        """The first of Ansible's settings that modules have seen with another value, or ""."""
        values = vars(constants)
        return next((name for name, value in self.settings.items() if values[name] != value), "")

    @contextmanager
    def recording_variables(self) -> Iterator[None]:
        environ = os.environ
        plain = type(environ)
        captures = self

        class Recording(plain):  # type: ignore[valid-type, misc]
            def __getitem__(self, key: Any) -> Any:
                captures._take_variable(key, sys._getframe(1))
                return super().__getitem__(key)

        environ.__class__ = Recording
        try:
            yield
        finally:
            environ.__class__ = plain

    def _take_variable(self, name: Any, frame: FrameType | None) -> None:
        # Mapping.get, os.getenv and `in` come between.
        while frame and frame.f_globals.get("__name__") in _MAPPINGS:
            frame = frame.f_back
        reader = _name(frame)
        if isinstance(name, str) and reader not in _REFRESHED_MODULES | _HARMLESS_READERS:
            data = os.environ._data  # type: ignore[attr-defined]
            value = data.get(os.fsencode(name))
            self.variables.setdefault(name, None if value is None else os.fsdecode(value))
            self.readers.setdefault(name, set()).add(reader)

    @contextmanager
    def recording_generators(self) -> Iterator[None]:
        """Python itself seeds only the one of the module `random` anew after a fork."""
        seed = random.Random.seed
        generators = self.generators

        def recording_seed(this: random.Random, a: Any = None, version: int = 2) -> None:
            seed(this, a, version)
            (generators.add if a is None else generators.discard)(this)

        random.Random.seed = recording_seed  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            random.Random.seed = seed  # type: ignore[method-assign]

    @contextmanager
    def recording_settings(self, constants: ModuleType) -> Iterator[None]:
        """Reads of `ansible.constants`, as attributes or through its `config`."""
        config: Any = constants.config
        names = set(config.get_configuration_definitions())
        ask = config.get_config_value
        captures = self

        class Recording(ModuleType):
            def __getattribute__(self, name: str) -> Any:
                value = super().__getattribute__(name)
                if name in names:
                    captures._take_setting(name, vars(constants)[name], sys._getframe(1))
                return value

        def recording_ask(name: str, *arguments: Any, **keywords: Any) -> Any:
            value = ask(name, *arguments, **keywords)
            if name in names:
                captures._take_setting(name, vars(constants)[name], sys._getframe(1))
            return value

        constants.__class__ = Recording
        config.get_config_value = recording_ask
        try:
            yield
        finally:
            constants.__class__ = ModuleType
            del config.get_config_value

    def _take_setting(self, name: str, value: Any, frame: FrameType | None) -> None:
        reader = _name(frame)
        if reader not in _REFRESHED_MODULES:
            self.settings.setdefault(name, value)
            self.readers.setdefault(name, set()).add(reader)


def _name(frame: FrameType | None) -> str:
    return str(frame.f_globals.get("__name__", "")) if frame else ""
