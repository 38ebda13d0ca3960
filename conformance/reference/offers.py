"""What is checked about tools and the choice among them, and what is then left to call."""

from __future__ import annotations

import re
from typing import Any, Literal

from conformance.reference.patterns import finds, matching
from conformance.reference.schemas import checked
from conformance.reference.task import Tool
from conformance.reference.wrong import Wrong, array, boolean, mapping, mistyped, name, need, one_of, string

Call = Literal["none", "auto", "required", "named"]
_MODES = ("none", "auto", "required")


def offered(raw: dict[str, Any]) -> tuple[tuple[Tool, ...], Call, bool]:
    """The tools that may be called, how the choice among them is made, and whether they came as `functions`."""
    if "functions" in raw or "function_call" in raw:
        for modern in ("tools", "tool_choice"):
            if modern in raw:
                raise Wrong(
                    f"'functions' and 'function_call' cannot be used together with '{modern}'.",
                    param="functions" if "functions" in raw else "function_call",
                    code="invalid_parameter_combination",
                )
        return (*_legacy(raw), True)
    if "tools" not in raw:
        if raw.get("tool_choice", "none") != "none":
            raise _needs("tool_choice", "tools")
        return (), "none", False
    given = array(raw["tools"], "tools", fewest=1)
    tools = tuple(_tool(one, f"tools[{index}]") for index, one in enumerate(given))
    _distinct(tools, "tools")
    chosen, call = _choice(raw.get("tool_choice", "auto"), tools)
    return chosen, call, False


def _needs(param: str, other: str) -> Wrong:
    return Wrong(f"Invalid value for '{param}': '{param}' is only allowed when '{other}' are specified.", param=param)


def _distinct(tools: tuple[Tool, ...], path: str) -> None:
    names = [tool.name for tool in tools]
    for index, one in enumerate(names):
        if one in names[:index]:
            where = f"{path}[{index}].{tools[index].kind}.name" if path == "tools" else f"{path}[{index}].name"
            raise Wrong(f"Invalid '{path}': the name '{one}' is used twice.", param=where, code="invalid_value")


def _tool(tool: Any, path: str) -> Tool:
    kind = one_of(need(mapping(tool, path), "type", path), f"{path}.type", ("function", "custom"))
    inner = mapping(need(tool, kind, path), f"{path}.{kind}")
    return (_function if kind == "function" else _custom)(inner, f"{path}.{kind}")


def _function(function: dict[str, Any], path: str) -> Tool:
    called = name(need(function, "name", path), f"{path}.name")
    if function.get("description") is not None:
        string(function["description"], f"{path}.description")
    strict = function.get("strict") is not None and boolean(function["strict"], f"{path}.strict")
    parameters = function.get("parameters")
    if parameters is None:
        return Tool(called, schema={"type": "object", "properties": {}})
    where = f"{path}.parameters"
    mapping(parameters, where)
    what, code = f"function '{called}'", "invalid_function_parameters"
    if parameters.get("type", "object") != "object":
        raise Wrong(
            f"Invalid schema for {what}: schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: {str(parameters['type'])[:100]!r}'.",
            param=where,
            code=code,
        )
    checked(parameters, what, where, code, strict=strict)
    return Tool(called, schema={"type": "object", **parameters})


def _custom(custom: dict[str, Any], path: str) -> Tool:
    called = name(need(custom, "name", path), f"{path}.name")
    if custom.get("description") is not None:
        string(custom["description"], f"{path}.description")
    form = custom.get("format")
    if form is None:
        return Tool(called, "custom")
    path = f"{path}.format"
    kind = one_of(need(mapping(form, path), "type", path), f"{path}.type", ("text", "grammar"))
    if kind == "text":
        return Tool(called, "custom")
    grammar = mapping(need(form, "grammar", path), f"{path}.grammar")
    path = f"{path}.grammar"
    definition = string(need(grammar, "definition", path), f"{path}.definition", fewest=1)
    if one_of(need(grammar, "syntax", path), f"{path}.syntax", ("lark", "regex")) == "lark":
        why = "This model does not support grammars in Lark syntax."
        raise Wrong(why, param=f"{path}.syntax", code="unsupported_value")
    try:
        fits = finds(definition, matching(definition))
    except (ValueError, re.error, OverflowError, RecursionError):
        fits = False
    if not fits:
        raise Wrong(
            f"Invalid '{path}.definition': not a regular expression that is supported.",
            param=f"{path}.definition",
            code="invalid_value",
        )
    return Tool(called, "custom", pattern=definition)


def _choice(choice: Any, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], Call]:
    if isinstance(choice, str):
        mode: Any = one_of(choice, "tool_choice", _MODES)
        return tools if mode != "none" else (), mode
    if not isinstance(choice, dict):
        raise mistyped("tool_choice", "one of a string or object", choice)
    kind = one_of(need(choice, "type", "tool_choice"), "tool_choice.type", ("function", "custom", "allowed_tools"))
    inner = mapping(need(choice, kind, "tool_choice"), f"tool_choice.{kind}")
    if kind != "allowed_tools":
        return (_defined(inner, f"tool_choice.{kind}", kind, tools),), "named"
    path = "tool_choice.allowed_tools"
    mode = one_of(need(inner, "mode", path), f"{path}.mode", ("auto", "required"))
    allowed = []
    for index, one in enumerate(array(need(inner, "tools", path), f"{path}.tools", fewest=1)):
        here = f"{path}.tools[{index}]"
        kind = one_of(need(mapping(one, here), "type", here), f"{here}.type", ("function", "custom"))
        allowed.append(_defined(mapping(need(one, kind, here), f"{here}.{kind}"), f"{here}.{kind}", kind, tools))
    return tuple(allowed), mode


def _defined(named: dict[str, Any], path: str, kind: str, tools: tuple[Tool, ...]) -> Tool:
    called = string(need(named, "name", path), f"{path}.name")
    for tool in tools:
        if tool.name == called and tool.kind == kind:
            return tool
    raise Wrong(
        f"Invalid value for '{path}.name': '{called[:64]}' is not among the tools of this request.",
        param=f"{path}.name",
        code="invalid_value",
    )


def _legacy(raw: dict[str, Any]) -> tuple[tuple[Tool, ...], Call]:
    """`functions` and `function_call`, which `tools` and `tool_choice` have replaced."""
    if "functions" not in raw:
        if raw["function_call"] == "none":
            return (), "none"
        raise _needs("function_call", "functions")
    tools = tuple(
        _function(mapping(one, f"functions[{index}]"), f"functions[{index}]")
        for index, one in enumerate(array(raw["functions"], "functions", fewest=1, most=128))
    )
    _distinct(tools, "functions")
    choice = raw.get("function_call", "auto")
    if isinstance(choice, dict):
        return (_defined(choice, "function_call", "function", tools),), "named"
    if not isinstance(choice, str):
        raise mistyped("function_call", "one of a string or object", choice)
    mode: Any = one_of(choice, "function_call", ("none", "auto"))
    return tools if mode == "auto" else (), mode
