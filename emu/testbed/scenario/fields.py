"""The base of every model of the language, and its field types. Pure: no asyncio."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from testbed.check.compare import ComparisonError
from testbed.check.compare import parse as parse_comparison
from testbed.scenario import units
from testbed.scenario.mistakes import unknown_key

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class Model(BaseModel):
    """Unknown keys are mistakes that name the known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def known_keys_only(cls, data: Any) -> Any:
        if isinstance(data, dict):
            keys = [field.alias or name for name, field in cls.model_fields.items() if not field.exclude]
            for key in data:
                if key not in keys and key not in cls.model_fields:
                    raise at(key, unknown_key(str(key), keys))
        return data

    def plain(self) -> dict[str, Any]:
        """As a document: what was set or has a value, under the names of the language."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")

    def but(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)


def at(key: str, what: str) -> PydanticCustomError:
    """A mistake at a key below the model that is being validated."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "key": key})


def name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"'{value}' is no name: a letter, then letters, digits, _ and -, 32 at most")
    if value in ("testbed", "all", "none"):
        raise ValueError(f"'{value}' has a meaning of its own; choose another name")
    return value


def _mac(value: Any) -> str:
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise ValueError(f"'{value}' is no MAC address; write one like 02:00:00:00:00:01")
    if int(value[:2], 16) & 1:
        raise ValueError(f"'{value}' is a group address; a station's first octet is even")
    return value.lower()


def comparison(value: Any) -> Any:
    """Checked, and kept as it was written."""
    try:
        parse_comparison(value)
    except ComparisonError as error:
        raise ValueError(str(error)) from None
    return value


def limit(value: Any) -> Any:
    """A comparison, or the word `any`."""
    return value if value == "any" else comparison(value)


def one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _schema(type_: str | list[str], *examples: Any, pattern: str = "") -> WithJsonSchema:
    schema: dict[str, Any] = {"type": type_, "examples": list(examples)}
    return WithJsonSchema(schema | ({"pattern": pattern} if pattern else {}))


def _with(parse: Callable[[Any], Any]) -> BeforeValidator:
    return BeforeValidator(parse)


def _memory_mb(value: object) -> int:
    octets = units.memory_bytes(value)
    if octets % (1 << 20) or not octets:
        raise units.UnitError(f"'{value}' is no whole number of megabytes; write one like 256M")
    return octets >> 20


def _number64(value: object) -> int:
    """64M is memory's way to write it; a text may also be hexadecimal."""
    text = value.strip() if isinstance(value, str) else ""
    number = int(text, 16) if _HEXADECIMAL.fullmatch(text) else units.memory_bytes(value)
    if number >= 1 << 64:
        raise units.UnitError(f"'{value}' does not fit into 64 bits")
    return number


Name = Annotated[str, _with(name), _schema("string", "f0", pattern=_NAME.pattern)]
# A name, or for several switches a.p0; checked against what there is when the whole file is known.
Reference = Annotated[str, Field(min_length=1, title="Name")]
References = Annotated[
    list[Reference],
    _with(one_or_many),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Mac = Annotated[str, _with(_mac), _schema("string", "02:00:00:00:00:01")]
DurationNs = Annotated[int, _with(units.duration_ns), _schema("string", "150ms", "2s", "5min")]
DurationRangeNs = Annotated[
    tuple[int, int], _with(units.duration_range_ns), _schema("string", "2s", "1s..3s")
]
RateValue = Annotated[
    units.Rate, _with(units.rate), _schema(["string", "number"], "20kpps", "1.5Mpps", "100Mbps")
]
SizesValue = Annotated[
    units.Sizes,
    _with(units.sizes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"]},
                {"type": "array", "items": {"type": ["string", "integer"]}},
            ],
            "examples": [64, "64..1500", "imix"],
        }
    ),
]
MemoryMb = Annotated[int, _with(_memory_mb), _schema("string", "256M", "1G")]
Number64 = Annotated[int, _with(_number64), _schema(["integer", "string"], 4096, "0x100000000", "64K")]
Comparison = Annotated[Any, _with(comparison), _schema(["string", "number"], 0, "<= 200ms", ">= 0.95")]
Limit = Annotated[Any, _with(limit), _schema(["string", "number"], 0, "<= 32", "any")]
Scalar = str | int | float | bool
