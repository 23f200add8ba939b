"""A stand-in for the images' base, made of this machine's own files: no registry is asked.

Python with the packages that are asked for, a shell, the core utilities, and the libraries that
they are linked with, at the paths where they are here. Nothing else of this machine is in it.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from real_node.errors import NodeError
from real_node.prerequisites import program

# The real images have these too; the operator's pods and the tests start no others.
UTILITIES = (
    *("bash", "sh", "cat", "chmod", "cp", "date", "df", "dirname", "env", "head", "hostname", "id"),
    *("ls", "mkdir", "mv", "pwd", "readlink", "rm", "sleep", "stat", "tail", "touch", "true"),
    *("false", "uname", "wc"),
)
# Of Python's own: for tests, for desktops, and what makes environments.
_LEFT_OUT = (
    *("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter"),
    *("turtledemo", "ensurepip", "lib2to3", "config-*", "*.a"),
)
_LINKED = re.compile(r"(?:=>\s+)?(/\S+)\s+\(0x[0-9a-f]+\)")
_USERS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def lay_out(directory: Path) -> None:
    """Everything but libraries, for which all is to be there: `add_libraries`."""
    for name in ("usr/bin", "usr/lib", "usr/local/bin", "etc", "proc", "sys", "dev", "var"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name in _MERGED:
        # As on this machine: programs name their loader by the short path.
        if Path("/", name).is_symlink():
            (directory / "usr" / name).mkdir(exist_ok=True)
            (directory / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "var/tmp"):
        (directory / name).mkdir()
        (directory / name).chmod(0o1777)
    (directory / "etc" / "passwd").write_text(_USERS)
    (directory / "etc" / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (directory / "etc" / "nsswitch.conf").write_text("passwd: files\nhosts: files dns\n")
    # Of UTF-8, which Ansible insists on and Python chooses when nobody names another.
    for locale in Path("/usr/lib/locale").glob("C.[uU]*"):
        shutil.copytree(locale, _inside(directory, locale))
    for name in UTILITIES:
        _copy_program(program(name), directory / "usr" / "bin" / name)
    _copy_program(program("tini"), directory / "tini")
    _copy_python(directory)


def add_packages(directory: Path, names: Iterable[str]) -> None:
    """Installed distributions and all that they need, in the image's Python, with their scripts."""
    target = _inside(directory, _site_packages())
    for distribution in _closure(names):
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            # Scripts are outside, and made anew.
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            destination = target.joinpath(*file.parts)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
        for entry in distribution.entry_points.select(group="console_scripts"):
            script = directory / "usr" / "local" / "bin" / entry.name
            script.parent.mkdir(parents=True, exist_ok=True)
            module, _, function = entry.value.partition(":")
            script.write_text(
                f"#!/usr/bin/python3\nimport sys\nfrom {module} import {function}\n"
                f"sys.exit({function}())\n"
            )
            script.chmod(0o755)


def add_libraries(directory: Path, others: Sequence[Path]) -> None:
    """What all programs and libraries of these directories are linked with."""
    files = [path for place in (directory, *others) for path in _binaries(place)]
    there = {path.name for place in others for path in place.rglob("*.so*")}
    for library in sorted(_linked(files)):
        if Path(library).name in there:
            # A package that brings its own, which its loader finds by a relative path.
            continue
        destination = _inside(directory, Path(library))
        if not destination.exists():
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, destination)
            destination.chmod(0o755)


def make_readable(directory: Path) -> None:
    """For any user, whatever the umask of who builds: containers run under any UID."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


def _copy_python(directory: Path) -> None:
    here = Path(os.path.realpath(sys.executable))
    inside = _inside(directory, here)
    _copy_program(str(here), inside)
    for name in ("python3", "python"):
        (directory / "usr" / "bin" / name).unlink(missing_ok=True)
        (directory / "usr" / "bin" / name).symlink_to(here)
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    for name in dict.fromkeys(("stdlib", "platstdlib")):
        library = Path(sysconfig.get_path(name, vars=_base()))
        shutil.copytree(
            library, _inside(directory, library), ignore=ignore, dirs_exist_ok=True, symlinks=True
        )
    _inside(directory, _site_packages()).mkdir(parents=True, exist_ok=True)


def _base() -> dict[str, str]:
    return {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}


def _site_packages() -> Path:
    """Where the image's Python looks for packages: it is no virtual environment."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.run(
        [os.path.realpath(sys.executable), "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(answer.stdout.strip())


def _closure(names: Iterable[str]) -> list[importlib.metadata.Distribution]:
    found: dict[str, importlib.metadata.Distribution] = {}
    left = list(names)
    while left:
        name = canonicalize_name(left.pop())
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise NodeError(f"There is no {name} in {sys.prefix}: make setup") from error
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    return list(found.values())


def _copy_program(source: str, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(os.path.realpath(source), destination)
    destination.chmod(0o755)


def _inside(directory: Path, path: Path) -> Path:
    """Where a file of this machine is in the image; /lib is a link to /usr/lib in both."""
    top = path.parts[1]
    if top in _MERGED and Path("/", top).is_symlink():
        path = Path("/usr", *path.parts[1:])
    return directory / path.relative_to("/")


def _binaries(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def _linked(files: Sequence[Path]) -> set[str]:
    found: set[str] = set()
    # Of one that is linked with nothing, ldd says so and fails.
    answer = subprocess.run(
        [program("ldd"), *map(str, files)], capture_output=True, text=True, check=False
    )
    for line in answer.stdout.splitlines():
        match = _LINKED.search(line)
        if match and line.startswith("\t"):
            found.add(match[1])
    return found
