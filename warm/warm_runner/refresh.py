"""Makes a process that has Ansible imported see its own surroundings, not those of the import.

What is done again here is what Ansible does at import and a run may well need differently:
settings, search paths, colours, the display, its unique numbers. Everything else that was seen at
import is compared instead; see captures.py.
"""

from __future__ import annotations

import importlib
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from warm_runner.preload import Loaded


class Unlike(Exception):
    """A preloaded module has seen something that is different for this run."""


def refresh_python(loaded: Loaded, environment: Mapping[str, str]) -> None:
    """After the fork, when the process has its own variables, directory and standard streams."""
    time.tzset()
    tempfile.tempdir = None
    for generator in loaded.captures.generators:
        generator.seed()
    _reload(loaded, environment)


def refresh_ansible(loaded: Loaded) -> None:
    """After refresh_python, where a playbook runs: ansible-runner asks Ansible nothing."""
    constants: Any = importlib.import_module("ansible.constants")
    before = {id(value): name for name, value in vars(constants).items() if isinstance(value, list)}
    _read_settings(constants)
    differing = loaded.captures.differing_setting(constants)
    if differing:
        raise Unlike(f"Ansible's setting {differing} was read when the modules were loaded")
    _reset_loaders(constants, before)
    importlib.reload(importlib.import_module("ansible.utils.color"))
    _reset_numbers(importlib.import_module("ansible.utils.vars"))
    importlib.import_module("ansible.cli").initialize_locale()
    _reset_display()
    loaded.shelf.install()


def _reload(loaded: Loaded, environment: Mapping[str, str]) -> None:
    """The modules that may be executed again and must be, or Unlike."""
    stale: set[str] = set()
    for name, readers in loaded.captures.differing_variables(environment).items():
        if not readers <= loaded.reloadable:
            raise Unlike(f"{name} was read when {', '.join(sorted(readers))} was loaded")
        stale |= readers
    for name in sorted(stale):
        importlib.reload(sys.modules[name])


def _read_settings(constants: Any) -> None:
    """As at the import of ansible.constants, but for base.yml, which is the same for all."""
    config = constants.config
    manager = type(config)
    definitions = config._base_defs
    manager.WARNINGS.clear()
    manager.DEPRECATED.clear()
    config._read_config_yaml_file = lambda _: definitions
    config.__init__()
    for name in config.get_configuration_definitions():
        constants.set_constant(name, config.get_config_value(name, variables=vars(constants)))


def _reset_loaders(constants: Any, before: dict[int, str]) -> None:
    """Their paths are the very lists that settings were; each gets what its setting is now."""
    loaders: Any = importlib.import_module("ansible.plugins.loader")
    for _, loader in loaders.get_all_plugin_loaders():
        name = before.get(id(loader.config))
        if name:
            loader.config = getattr(constants, name) or []
        loader._clear_caches()
        loader._extra_dirs = []


def _reset_numbers(module: Any) -> None:
    """What makes the identifiers of plays and tasks unique."""
    module.cur_id = 0
    module.random_int = f"{secrets.randbelow(2**31):08x}"[:8]


def _reset_display() -> None:
    """All modules hold the one display there is, so it is made anew in place."""
    module: Any = importlib.import_module("ansible.utils.display")
    module.Display().__init__()
    # What is wrong with the settings is said at import: by core 2.19 here, by 2.18 in constants.
    report = getattr(module, "_report_config_warnings", None)
    if report:
        report(module._deprecator.ANSIBLE_CORE_DEPRECATOR)
    else:
        constants: Any = importlib.import_module("ansible.constants")
        constants.handle_config_noise()
