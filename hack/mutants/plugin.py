"""A pytest plugin: imports one file as if something else stood in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from mutants import FILE, TEXT


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 the signature is importlib's
        return compile(os.environ[TEXT], self.path, "exec", dont_inherit=True)


class _Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin and Path(spec.origin).resolve() == Path(os.environ[FILE]):
            spec.loader = _Loader(name, spec.origin)
            return spec
        return None


sys.meta_path.insert(0, _Finder)
