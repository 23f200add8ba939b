"""Imports Ansible, ansible-runner and what else runs will need, and sets aside what may not stay.

Three kinds of modules:
- what `ansible.cli.playbook` and `ansible_runner` import, and ordinary packages, stay;
- Ansible's own plugins are set aside: a run must find them by its own search paths first;
- so are modules of collections: a run must find its collections by its own paths first.
A run takes what was set aside when it has found the same file (see shelf.py).
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from warm_runner import in_process
from warm_runner.captures import Captures
from warm_runner.log import log
from warm_runner.shelf import Shelf

COLLECTIONS = "ansible_collections"
# A run asks for all of these when it starts, for their options.
_ALL_OF = ("connection", "shell", "become", "callback", "inventory", "vars", "strategy")
_PLUGINS: dict[str, tuple[str, ...]] = {
    "cache": ("memory", "jsonfile"),
    "action": (
        *("normal", "gather_facts", "set_fact", "include_vars", "debug", "assert", "fail"),
        *("template", "copy", "command", "shell", "validate_argument_spec"),
    ),
    "lookup": ("env", "file", "items", "list", "pipe", "template", "vars", "first_found"),
}
_MODULES = (
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.executor.module_common",
    "ansible.plugins.strategy",
    "multiprocessing.popen_fork",
    "multiprocessing.queues",
    "encodings.idna",
    "ansible_runner.__main__",
)


@dataclass
class Loaded:
    """What a run needs to know of the process that it was forked from."""

    captures: Captures = field(default_factory=Captures)
    shelf: Shelf = field(default_factory=Shelf)
    reloadable: frozenset[str] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)


def load(names: Iterable[str], reloadable: Iterable[str]) -> Loaded:
    names = list(names)
    loaded = Loaded(reloadable=frozenset(reloadable), environment=dict(os.environ))
    with loaded.captures.recording_variables(), loaded.captures.recording_generators():
        _remember_templates(importlib.import_module("ansible.config.manager"))
        constants = importlib.import_module("ansible.constants")
        with loaded.captures.recording_settings(constants):
            importlib.import_module("ansible.cli.playbook")
            for name in _MODULES:
                importlib.import_module(name)
            for name in names:
                if not name.startswith(f"{COLLECTIONS}."):
                    _import(name)
            stay = set(sys.modules)
            loaded.shelf.remember_metadata()
            _find_collections()
            _load_plugins()
            for name in names:
                if name.startswith(f"{COLLECTIONS}."):
                    _import(name)
    reason = in_process.prepare()
    if reason:
        log("info", "Every task is forked", reason=reason)
    _set_aside(loaded.shelf, stay)
    _drop_temporary_directory(constants)
    return loaded


def _remember_templates(manager: Any) -> None:
    """Those of settings' defaults: every run asks for all settings, and compiling them is slow."""
    environment: Any = manager.NativeEnvironment()
    environment.from_string = functools.cache(environment.from_string)
    manager.NativeEnvironment = lambda: environment


def _import(name: str) -> None:
    """A module, or with `.*` at its end all modules of a package. What fails is left to the run."""
    package = name.removesuffix(".*")
    try:
        module = importlib.import_module(package)
    except Exception as error:
        log("error", "Not preloaded", module=package, error=f"{type(error).__name__}: {error}")
        return
    if package != name:
        for found in pkgutil.iter_modules(module.__path__, f"{package}."):
            _import(found.name)


def _load_plugins() -> None:
    """With the loaders of Ansible themselves: the modules get the names that a run gives them."""
    loaders: Any = importlib.import_module("ansible.plugins.loader")
    for kind in _ALL_OF:
        list(getattr(loaders, f"{kind}_loader").all(class_only=True))
    for kind, plugins in _PLUGINS.items():
        loader = getattr(loaders, f"{kind}_loader")
        for plugin in plugins:
            # Under its full name, a plugin is a module of its own.
            for name in (plugin, f"ansible.builtin.{plugin}"):
                loader._clear_caches()
                loader.get(name, class_only=True)
    for kind in ("filter", "test"):
        list(getattr(loaders, f"{kind}_loader").all())


def _find_collections() -> None:
    loaders: Any = importlib.import_module("ansible.plugins.loader")
    loaders.init_plugin_loader([])


def _set_aside(shelf: Shelf, stay: set[str]) -> None:
    config: Any = importlib.import_module("ansible.utils.collection_loader._collection_config")
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    loaders: Any = importlib.import_module("ansible.plugins.loader")
    constants: Any = importlib.import_module("ansible.constants")
    for name in sorted(set(sys.modules) - stay, key=lambda name: name.count("."), reverse=True):
        is_plugin = name.startswith("ansible.plugins.") and not hasattr(
            sys.modules[name], "__path__"
        )
        if is_plugin or name.split(".")[0] == COLLECTIONS:
            module = sys.modules.pop(name)
            parent, _, last = name.rpartition(".")
            # A package that is set aside too may need the name that it has imported.
            if parent in stay and getattr(sys.modules[parent], last, None) is module:
                delattr(sys.modules[parent], last)
            shelf.put(name, module)
    shelf.definitions = dict(constants.config._plugins)
    finder._AnsibleCollectionFinder._remove()
    config.AnsibleCollectionConfig.on_collection_load -= loaders._on_collection_load_handler
    config.AnsibleCollectionConfig.default_collection = None
    for _, loader in loaders.get_all_plugin_loaders():
        loader._clear_caches()
        loader._extra_dirs = []


def _drop_temporary_directory(constants: Any) -> None:
    """Reading Ansible's settings makes one and registers its removal; each run has its own."""
    manager: Any = importlib.import_module("ansible.config.manager")
    atexit.unregister(manager.cleanup_tmp_file)
    manager.cleanup_tmp_file(constants.DEFAULT_LOCAL_TMP)
