from __future__ import annotations

import subprocess
import sys

import pytest

import runner
from runner import errors


def test_every_public_name_can_be_imported() -> None:
    found = {name: getattr(runner, name) for name in runner.__all__}
    assert all(found[name].__name__ == name for name in found)


def test_public_names_are_sorted_and_listed() -> None:
    assert runner.__all__ == sorted(runner.__all__)
    assert set(runner.__all__) <= set(dir(runner))
    assert dir(runner) == sorted(dir(runner))


def test_every_error_class_is_public() -> None:
    classes = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
    assert classes <= set(runner.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'runner' has no attribute 'Klient'"):
        _ = runner.Klient


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import runner, sys; print(sorted({'httpx', 'yaml', 'jsonschema', 'rich', 'jmespath'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_has_three_numbers() -> None:
    assert [part.isdecimal() for part in runner.__version__.split(".")] == [True] * 3
