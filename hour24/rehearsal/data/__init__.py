"""Reads the rehearsal's data files, each once."""

from __future__ import annotations

import copy
import json
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any


def text(name: str) -> str:
    """Return a file as text."""
    return (files(__name__) / name).read_text(encoding="utf-8")


@lru_cache
def toml(name: str) -> dict[str, Any]:
    """Return a TOML file's content, shared and not to be changed."""
    return tomllib.loads(text(name))


def shape(name: str, of: str) -> dict[str, Any]:
    """Return a copy of the object ``of`` in a JSON file: the members that never change."""
    found: dict[str, Any] = copy.deepcopy(_json(name)[of])
    return found


@lru_cache
def _json(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(name))
    return found
