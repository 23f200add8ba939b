"""Modules that were imported before the fork and wait until a run has found their files itself.

Which file a plugin or a module of a collection comes from depends on search paths, and those
differ from run to run. So every run searches as Ansible always does; only the execution of the file
that it has found is left out, when that file has been executed already.
"""

from __future__ import annotations

import copy
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

_COLLECTION_PARTS = 3
_FINDER = "ansible.utils.collection_loader._collection_finder"


class Shelf:
    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._collections: dict[str, str] = {}
        # Plugins' options as their documentation declares them, by type and name.
        self.definitions: dict[str, dict[str, Any]] = {}
        # Collections' meta/runtime.yml, parsed, by its text: that of ansible.builtin is long.
        self._metadata: dict[str, Any] = {}

    def put(self, name: str, module: ModuleType) -> None:
        file = getattr(module, "__file__", None)
        parts = name.split(".")
        if parts[0] == "ansible_collections" and len(parts) == _COLLECTION_PARTS:
            self._collections[name] = os.path.dirname(str(file))
        # Under its second name a module is only an alias, which a run makes again.
        elif file and os.path.isfile(file) and module.__name__ == name:
            self._modules[name] = module

    def take(self, name: str, path: str | None) -> ModuleType | None:
        module = self._modules.get(name)
        return module if module and path == module.__file__ and self._holds_for(name) else None

    def holds(self, module: ModuleType) -> bool:
        return self._modules.get(module.__name__) is module

    def files(self) -> set[str]:
        return {str(module.__file__) for module in self._modules.values()}

    def _holds_for(self, name: str) -> bool:
        """Modules of collections know each other: all collections are where they were, or none
        is taken."""
        if not name.startswith("ansible_collections."):
            return True
        finder: Any = importlib.import_module(
            "ansible.utils.collection_loader"
        ).AnsibleCollectionConfig
        paths = finder.collection_paths
        return all(_first(paths, name) == place for name, place in self._collections.items())

    def remember_metadata(self) -> None:
        """Keeps that of all collections that are found from here on."""
        collections: Any = importlib.import_module(_FINDER)
        parse = collections._meta_yml_to_dict

        def parse_and_remember(text: str, name: Any) -> Any:
            parsed = parse(text, name)
            # Who has asked for it may change it.
            self._metadata[text] = copy.deepcopy(parsed)
            return parsed

        collections._meta_yml_to_dict = parse_and_remember
        self._parse = parse

    def install(self) -> None:
        """Into this process, which is a run. For the third way to load see `_Finder`."""
        collections: Any = importlib.import_module(_FINDER)
        # Once: who has asked for it may change it.
        collections._meta_yml_to_dict = lambda text, name: (
            self._metadata.pop(text, None) or self._parse(text, name)
        )
        plugins: Any = importlib.import_module("ansible.plugins.loader")
        sys.meta_path.insert(0, _Finder(self))
        self._wrap_collection_loader(collections._AnsibleCollectionLoader)
        self._wrap_plugin_loader(plugins)

    def _wrap_collection_loader(self, loader: Any) -> None:
        create, execute = loader.create_module, loader.exec_module

        def create_module(this: Any, spec: ModuleSpec) -> Any:
            taken = self.take(this._fullname, this._source_code_path)
            return taken or create(this, spec)

        def exec_module(this: Any, module: ModuleType) -> None:
            if not self.holds(module):
                execute(this, module)

        loader.create_module, loader.exec_module = create_module, exec_module

    def _wrap_plugin_loader(self, plugins: Any) -> None:
        loader, constants = plugins.PluginLoader, importlib.import_module("ansible.constants")
        config: Any = constants.config
        load, define = loader._load_module_source, loader._load_config_defs

        def load_module_source(this: Any, *arguments: Any, **keywords: Any) -> ModuleType:
            # Core 2.19 passes keywords and the full name, 2.18 a name that may be relative.
            name = keywords.get("python_module_name") or arguments[0]
            path = keywords.get("path") or arguments[1]
            if arguments and not name.startswith("ansible_collections."):
                name = f"{this.package}.{name}"
            taken = None if name in sys.modules else self.take(name, path)
            if taken is None:
                module: ModuleType = load(this, *arguments, **keywords)
                return module
            sys.modules[name] = taken
            return taken

        def load_config_defs(this: Any, name: str, module: ModuleType, path: str) -> None:
            kind = plugins.get_plugin_class(this.class_name) if this.class_name else ""
            known = self.definitions.get(kind, {}).get(name)
            if known is None or not self.holds(module) or module.__file__ != path:
                define(this, name, module, path)
            elif not config.has_configuration_definition(kind, name):
                config.initialize_plugin_configuration_definitions(kind, name, known)

        loader._load_module_source = load_module_source
        loader._load_config_defs = load_config_defs


class _Finder:
    """For import statements that name one of Ansible's own plugins."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("ansible.plugins.") or not path:
            return None
        file = os.path.join(path[0], f"{name.rpartition('.')[2]}.py")
        taken = self._shelf.take(name, file)
        return spec_from_loader(name, _Loader(taken), origin=file) if taken else None


class _Loader(Loader):
    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, _: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed."""


def _first(paths: Sequence[str], name: str) -> str:
    """Where a collection is found; the first path wins."""
    places = (os.path.join(path, *name.split(".")) for path in paths)
    return next((place for place in places if os.path.isdir(place)), "")
