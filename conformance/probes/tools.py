"""Tools that probes offer, and requests that offer them. The fixture model is trained on the same definitions."""

from __future__ import annotations

from typing import Any


def function(name: str, description: str, **properties: Any) -> dict[str, Any]:
    """A function tool whose properties are all required, and no others allowed."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        },
    }


GET_WEATHER = function(
    "get_weather", "The weather in a city.", city={"type": "string", "enum": ["Paris", "Rome"]}
)
GET_TIME = function(
    "get_time", "The time in a zone.", tz={"type": "string", "enum": ["UTC", "CET"]}
)
PING = function("ping", "Ask the server whether it is there.")
CREATE_ORDER = function(
    "create_order",
    "Create an order.",
    customer={
        "type": "object",
        "properties": {"name": {"type": "string"}, "vip": {"type": "boolean"}},
        "required": ["name", "vip"],
        "additionalProperties": False,
    },
    items={
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "sku": {"type": "string"},
                "qty": {"type": "integer"},
                "price": {"type": "number"},
            },
            "required": ["sku", "qty", "price"],
            "additionalProperties": False,
        },
    },
    note={"type": "string"},
    coupon={"type": ["string", "null"]},
)
TOOLS = {tool["function"]["name"]: tool for tool in (GET_WEATHER, GET_TIME, PING, CREATE_ORDER)}
