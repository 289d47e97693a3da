"""What the templates of a message read: found in Jinja2's trees, with nothing filled in.

A path names a value as a template does: `event.items` is ("event", "items"), and what each item's name is
("event", "items", ITEM, "name").
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from jinja2 import TemplateSyntaxError, nodes

from todoke_dispatcher.domain.language import is_template, language
from todoke_shared.campaigns.message_parts import Place, Repeat, as_template, is_part, read_part

ITEM = "[]"
Path: TypeAlias = tuple[str, ...]
Use = Literal["number", "date", "instant", "url", "list"]
"""What a template takes a value for."""
ADDRESSES = frozenset(
    {"uri", "url", "originalContentUrl", "previewImageUrl", "baseUrl", "thumbnailImageUrl", "imageUrl", "iconUrl"}
)

_USES: dict[str, Use] = {
    **dict.fromkeys(("yen", "number", "points", "round", "abs", "int", "float"), "number"),
    **dict.fromkeys(("jpdate", "jpday", "jpyear"), "date"),
    **dict.fromkeys(("jptime", "jpdatetime"), "instant"),
    **dict.fromkeys(("first", "last", "join", "map", "sum", "sort", "reverse", "unique", "selectattr"), "list"),
    **dict.fromkeys(("select", "reject", "rejectattr", "list", "random", "groupby", "max", "min"), "list"),
}
_SAME = {"default", "d", "sort", "reverse", "unique", "select", "reject", "selectattr", "rejectattr", "list"}
"""What these filters give has what they are given: a list the same items, a value itself."""
_ITEM_OF = {"first", "last", "random", "max", "min"}
_BY_FIELD = {"map": "attribute", "sum": "attribute", "join": "attribute", "sort": "attribute", "unique": "attribute"}
_NUMBERS = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos)
_GLOBALS = frozenset({"range", "loop", "caller", "varargs", "kwargs"})

Scope: TypeAlias = Mapping[str, Path | None]
"""Names that a template gives by itself, and what they stand for; None: nothing that is read."""


@dataclass
class Reads:
    """`uses` by what is read; `at`: where each is. `strangers`: names, with their places, that nobody gives.

    `mended`: what may be missing where it is read, for a `default` or a test for it stands there.
    """

    uses: dict[Path, set[Use]] = field(default_factory=lambda: defaultdict(set))
    at: dict[Path, list[Place]] = field(default_factory=lambda: defaultdict(list))
    strangers: list[tuple[Place, str]] = field(default_factory=list)
    mended: set[tuple[Path, Place]] = field(default_factory=set)


def reads_of(template: Sequence[object], variables: frozenset[str]) -> Reads:
    """Everything that a message's objects read. What cannot be read in them is passed over."""
    found = Reads()
    for index, one in enumerate(template):
        _Walk(found, variables).go(one, (index,), {})
    return found


class _Walk:
    def __init__(self, found: Reads, variables: frozenset[str]) -> None:
        self._found = found
        self._variables = variables

    def go(self, value: object, place: Place, scope: Scope) -> None:
        """Everything below a place."""
        match value:
            case str() if is_template(value):
                self._text(value, place, scope)
            case Mapping() if is_part(value):
                self._part(value, place, scope)
            case Mapping():
                for key, inner in value.items():
                    self.go(inner, (*place, str(key)), scope)
            case list() | tuple():
                for index, inner in enumerate(value):
                    self.go(inner, (*place, index), scope)

    def _part(self, value: Mapping[str, object], place: Place, scope: Scope) -> None:
        try:
            part = read_part(value)
        except ValueError:
            return
        if isinstance(part, Repeat):
            listed = self._expression(part.over, (*place, "in"), scope)
            if listed is not None:
                self._found.uses[listed].add("list")
            item = None if listed is None else (*listed, ITEM)
            self.go(part.each, (*place, "each"), {**scope, part.name: item, "loop": None})
            return
        self._expression(part.test, (*place, "if"), scope)
        self.go(part.then, (*place, "then"), scope)
        self.go(part.otherwise, (*place, "else"), scope)

    def _text(self, text: str, place: Place, scope: Scope) -> None:
        tree = _parsed(text)
        if tree is None:
            return
        reader = _Tree(self._found, self._variables, place, dict(scope))
        first = reader.body(tree.body)
        if first is not None and place[-1] in ADDRESSES and text.lstrip().startswith("{{"):
            self._found.uses[first].add("url")

    def _expression(self, expression: str, place: Place, scope: Scope) -> Path | None:
        tree = _parsed(as_template(expression))
        return None if tree is None else _Tree(self._found, self._variables, place, dict(scope)).body(tree.body)


class _Tree:
    """One text. `scope` is changed as it sets names."""

    def __init__(self, found: Reads, variables: frozenset[str], place: Place, scope: dict[str, Path | None]) -> None:
        self._found = found
        self._variables = variables
        self._place = place
        self._scope = scope

    def body(self, body: Sequence[nodes.Node]) -> Path | None:
        """What its first expression stands for."""
        first: list[Path | None] = [self.of(one) for node in body for one in _expressions(node)]
        return first[0] if first else None

    def of(self, node: nodes.Node) -> Path | None:
        """What an expression stands for, None for what is only computed; notes all that it reads."""
        found: Path | None = None
        match node:
            case nodes.Name(name=name, ctx="load"):
                found = self._name(name)
            case nodes.Getattr() | nodes.Getitem():
                found = self._below(node)
            case nodes.Filter(node=nodes.Node() as inner):
                found = self._filter(node, self.of(inner))
            case nodes.Test(node=inner, name="defined" | "undefined"):
                self._mended(self.of(inner))
            case nodes.Or() | nodes.And():
                found, _ = self.of(node.left), self.of(node.right)
            case nodes.Compare():
                self._compare(node)
            case nodes.For():
                self._loop(node)
            case nodes.Assign(target=nodes.Name(name=name)):
                self._scope[name] = self.of(node.node)
            case _:
                self._others(node)
        return found

    def _below(self, node: nodes.Getattr | nodes.Getitem) -> Path | None:
        """A field, an item or a stretch of what stands before it."""
        of = self.of(node.node)
        match node:
            case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))):
                return self._field(of, name)
            case nodes.Getitem(arg=nodes.Const(value=int())):
                return self._item(of)
            case nodes.Getitem(arg=nodes.Slice()):
                return self._used(of, "list")
        self.of(node.arg)  # `answers[question]`: which one is known only when it is filled in
        return None

    def _others(self, node: nodes.Node) -> None:
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Name) and child.ctx != "load":
                self._scope[child.name] = None
                continue
            read = self.of(child)
            if isinstance(node, _NUMBERS):
                self._used(read, "number")

    def _name(self, name: str) -> Path | None:
        if name in self._scope:
            return self._scope[name]
        if name in _GLOBALS:
            return None
        if name not in self._variables:
            self._found.strangers.append((self._place, name))
            return None
        return self._noted((name,))

    def _field(self, of: Path | None, name: str) -> Path | None:
        return None if of is None else self._noted((*of, name))

    def _item(self, of: Path | None) -> Path | None:
        return None if of is None else self._noted((*(self._used(of, "list") or of), ITEM))

    def _noted(self, path: Path) -> Path:
        self._found.uses[path] |= set()  # now it is there
        self._found.at[path].append(self._place)
        return path

    def _used(self, path: Path | None, use: Use) -> Path | None:
        if path is not None:
            self._found.uses[path].add(use)
        return path

    def _mended(self, path: Path | None) -> None:
        if path is not None:
            self._found.mended.add((path, self._place))

    def _filter(self, node: nodes.Filter, given: Path | None) -> Path | None:
        for argument in (*node.args, *(one.value for one in node.kwargs)):
            self.of(argument)
        if node.name in ("default", "d"):
            self._mended(given)
        if (use := _USES.get(node.name)) is not None:
            self._used(given, use)
        if given is None:
            return None
        for name in _fields_of_items(node):
            read = self._noted((*given, ITEM, *name.split(".")))
            if node.name == "sum":
                self._used(read, "number")
        if node.name in _SAME:
            return given
        return (*given, ITEM) if node.name in _ITEM_OF else None

    def _compare(self, node: nodes.Compare) -> None:
        sides = [node.expr, *(one.expr for one in node.ops)]
        numeric = any(isinstance(one, nodes.Const) and type(one.value) in (int, float) for one in sides)
        for side in sides:
            read = self.of(side)
            if numeric:
                self._used(read, "number")

    def _loop(self, node: nodes.For) -> None:
        listed = self._used(self.of(node.iter), "list")
        outside = dict(self._scope)
        self._scope["loop"] = None
        if isinstance(node.target, nodes.Name):
            self._scope[node.target.name] = None if listed is None else (*listed, ITEM)
        else:
            self._others(node.target)
        for child in (*([node.test] if node.test else []), *node.body, *node.else_):
            self.of(child)
        self._scope.clear()
        self._scope.update(outside)


def _expressions(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.Output):
        yield from (one for one in node.nodes if not isinstance(one, nodes.TemplateData))
    else:
        yield node


def _fields_of_items(node: nodes.Filter) -> Iterator[str]:
    """The fields that a filter takes of each item of a list."""
    if node.name in ("selectattr", "rejectattr", "groupby") and node.args:
        if isinstance(node.args[0], nodes.Const):
            yield str(node.args[0].value)
        return
    wanted = _BY_FIELD.get(node.name)
    yield from (str(one.value.value) for one in node.kwargs if one.key == wanted and isinstance(one.value, nodes.Const))


def _parsed(text: str) -> nodes.Template | None:
    try:
        return language().parse(text)
    except TemplateSyntaxError:
        return None  # told by another check
