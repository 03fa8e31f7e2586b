"""From a Plan to the Python function that runs it: generated source, compiled once.

The function is a coroutine function: it fetches each depth of layers in one batch, then builds the
answer from the bottom up, one comprehension for each selection set. Names in the source come from
the plan. The only text from the document is its response names, as constants. One file, since it
is one writer of one function.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from domain.reading import cursors, lookups, related
from domain.reading.paging import Paging, beyond
from gateway import globalids
from gateway.execution.declarations import GlobalIds
from gateway.execution.loads import RelatedPage, keys_of, shown_facets
from gateway.execution.plans import (
    Given,
    Id,
    Items,
    Kind,
    Layer,
    Loaded,
    NodeList,
    Object,
    PageFact,
    PageRows,
    Plan,
    Shape,
    Text,
    Value,
)
from gateway.execution.selections import NotCovered, When

LONGEST = 200_000
"""The most characters of generated source; an operation that needs more is not covered."""

_CHANGE = ("field", "before", "after")
_IDS = {name: GlobalIds(name) for name in globalids.KINDS}
_PAGE_FACTS = {
    "hasNextPage": "more{n}",
    "hasPreviousPage": "less{n}",
    "startCursor": "cursor(g{n}[0][{key}], seal{n}) if g{n} else None",
    "endCursor": "cursor(g{n}[-1][{key}], seal{n}) if g{n} else None",
    "totalCount": "total{n}",
}


def function_of(plan: Plan) -> Callable[..., Any]:
    """The function: it takes a snapshot, the caller, variables and a payload, and returns data."""
    writer = _Writer(plan)
    code = compile(writer.source(), "<plan>", "exec")
    exec(code, writer.names)  # noqa: S102 - see the module's docstring
    # The function's globals must not refer to the function; see Operation.
    function: Callable[..., Any] = writer.names.pop("run")
    return function


def source_of(plan: Plan) -> str:
    """The source of the function, for people."""
    return _Writer(plan).source()


def grouped(rows: list[tuple[Any, ...]], parents: int) -> list[list[tuple[Any, ...]]]:
    """Rows grouped by the parent's position, which is their first column."""
    if parents == 1:
        return [rows]
    groups: list[list[tuple[Any, ...]]] = [[] for _ in range(parents)]
    for row in rows:
        groups[row[0]].append(row)
    return groups


def ended(
    rows: list[Any], paging: Paging, after: Sequence[Any] = (), before: Sequence[Any] = ()
) -> tuple[bool, bool]:
    """Cut rows to the page and put them in order; whether there is more after, and before.

    *after* and *before* have a row if there is something at or beyond these cursors.
    """
    more = len(rows) > paging.limit
    del rows[paging.limit :]
    if paging.backwards:
        rows.reverse()
    has_next, has_previous = beyond(paging, more)
    return has_next or bool(before), has_previous or bool(after)


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lines: list[str] = []
        self._indent = 1
        self._conditions: dict[When, str] = {}
        self._listed: dict[str, str] = {}
        self.names: dict[str, Any] = {
            "lookups": lookups,
            "cursor": cursors.encode,
            "shown_facets": shown_facets,
            "ended": ended,
            "grouped": grouped,
            "loads": orjson.loads,
            "Fragment": orjson.Fragment,
            "keys_of": keys_of,
            "NONE": {},
        }

    def source(self) -> str:
        plan = self._plan
        for depth in range(1 + max((layer.depth for layer in plan.layers), default=-1)):
            self._load([layer for layer in plan.layers if layer.depth == depth])
        if not plan.layers:
            self._line("pass")
        for layer in reversed(plan.layers):
            self._build(layer)
        self._line(f"return {self._object(plan.root)}")
        head = ["async def run(db, who, variables, payload):", "    given = variables.coerced"]
        head += [f"    {name} = {self._test(when)}" for when, name in self._conditions.items()]
        text = "\n".join([*head, *self._lines]) + "\n"
        if len(text) > LONGEST:
            raise NotCovered("its plan is too long")
        return text

    def _load(self, layers: Sequence[Layer]) -> None:
        """Fetch one depth of layers in one batch."""
        asked: list[str] = []
        for layer in layers:
            n = layer.number
            names = [f"fetch{n}", f"count{n}", *(f"{name}{n}" for name in sorted(layer.outside))]
            self._line(f"{' = '.join(names)} = None")
            with_condition = self._if(layer.when)
            self._ask(layer)
            self._indent -= with_condition
            if layer.kind is Kind.NODES or layer.listed or layer.kind in (Kind.ONE, Kind.ITS_CASE):
                asked.append(f"fetch{n}")
            if layer.counted:
                asked.append(f"count{n}")
            asked += [f"{name}{n}" for name in sorted(layer.outside)]
        targets = [name.replace("fetch", "rows").replace("count", "counted") for name in asked]
        if asked:
            self._line(f"[{', '.join(targets)}] = await db.fetch_each([{', '.join(asked)}])")
        for layer in layers:
            self._take(layer)

    def _ask(self, layer: Layer) -> None:
        n = layer.number
        self.names[f"request{n}"] = layer.request.load
        self.names[f"columns{n}"] = tuple(layer.columns) or (
            layer.relation.key[0] if layer.relation else "id",
        )
        page = f"columns{n}, keyed={layer.keyed}, ahead={int(layer.ended)}"
        # A cursor is checked even if only the total is selected.
        bounded = bool(layer.request.names & {"after", "before"})
        match layer.kind:
            case Kind.ROOT_PAGE:
                self._line(f"load{n} = request{n}(variables)")
                self._line(f"asked{n} = load{n}.ask(who)")
                if layer.request.names & {"filter", "search"}:
                    of = f"db, load{n}.paging, columns{n}" if layer.listed or bounded else "db"
                    self._line(f"asked{n} = await asked{n}.settled({of})")
                if layer.listed or bounded:
                    self._line(f"fetch{n} = asked{n}.page(load{n}.paging, {page})")
                if layer.counted:
                    self._line(f"count{n} = asked{n}.count()")
                for name in sorted(layer.outside):
                    self._line(f"{name}{n} = asked{n}.outside(load{n}.paging, {name!r})")
            case Kind.RELATED_PAGE:
                # Without a parent the field is not executed, and its arguments are not checked.
                self._line(f"parents{n} = {self._known(f'parents{n}', layer)}")
                self._line(f"if parents{n}:")
                self._indent += 1
                self._line(f"load{n} = request{n}(variables)")
                same = not bounded and self._same_page(layer)
                if not same or layer.keyed or layer.counted:
                    self._line(f"asked{n} = load{n}.ask(who)")
                if same:
                    self._line(f"fetch{n} = {same}(who, parents{n})")
                elif layer.listed or bounded:
                    self._line(f"fetch{n} = asked{n}.page(parents{n}, load{n}.paging, {page})")
                if layer.counted:
                    self._line(f"count{n} = asked{n}.count(parents{n})")
                for name in sorted(layer.outside):
                    # A cursor belongs to one parent's list: page() refuses it with several.
                    outside = f"asked{n}.outside(parents{n}[0], load{n}.paging, {name!r})"
                    self._line(f"{name}{n} = {outside}")
                self._indent -= 1
            case Kind.ONE:
                self._line(f"fetch{n} = request{n}(variables).fetch(who, columns{n})")
            case Kind.ITS_CASE:
                parents = self._parents(layer, "case_id")
                self._line(f"parents{n} = [id for id in {parents} if id is not None]")
                self._line(f"if parents{n}:")
                case = self._named("kind", lookups.CASE)
                self._line(f"    fetch{n} = lookups.by_id(who, {case}, parents{n}, columns{n})")
            case Kind.NODES:
                kind = self._named("kind", globalids.KINDS[layer.type_name])
                self._line(f"wanted{n} = request{n}(variables).wanted()")
                keys = f"keys_of(wanted{n}, {layer.type_name!r})"
                self._line(f"fetch{n} = lookups.by_id(who, {kind}, {keys}, columns{n})")

    def _same_page(self, layer: Layer) -> str:
        """The name of the function that fetches the layer's page, if it is always the same."""
        load = layer.request.constant
        if not layer.listed or not isinstance(load, RelatedPage):
            return ""
        if load.only is not None or load.wanted is not None:
            return ""
        columns = self.names[f"columns{layer.number}"]
        ahead = int(layer.ended)
        fetch = related.same_page(
            load.relation, columns, load.paging, keyed=layer.keyed, ahead=ahead
        )
        return self._named("page", fetch)

    def _known(self, name: str, layer: Layer) -> str:
        """The parents' ids: those that a layer before has listed, or the expression for them."""
        ids = self._parents(layer, "id")
        known = self._listed.get(ids, ids)
        if self._indent == 1:  # whatever the conditions
            self._listed.setdefault(ids, name)
        return known

    def _parents(self, layer: Layer, column: str) -> str:
        """An expression for the distinct ids of the objects above a layer, in order."""
        parent = layer.parent
        assert parent is not None
        above = parent.layer
        if above is None:
            ids = f"[{parent.column(column)}]"
            return f"({ids} if {parent.given} is not None else [])" if parent.given else ids
        place = above.columns.index(parent.prefix + column) + len(above.key)
        if above.kind is Kind.RELATED_PAGE:
            rows = f"for g in groups{above.number} for row in g"
            return f"list({{row[{place + 1}]: None {rows}}})"
        if above.kind is Kind.ROOT_PAGE:
            return f"list({{row[{place}]: None for row in g{above.number}}})"
        return f"list({{row[{place}]: None for row in rows{above.number}}})"

    def _take(self, layer: Layer) -> None:
        """Write the code that prepares a layer's rows: pages cut, groups by parent, totals."""
        n = layer.number
        with_condition = self._if(layer.when)
        before = len(self._lines)
        cut = layer.ended or "last" in layer.request.names
        if layer.kind is Kind.ROOT_PAGE:
            if layer.listed:
                self._line(f"g{n} = rows{n}")
                if cut:
                    self._line(f"more{n}, less{n} = {self._ended(layer)}")
            if layer.counted:
                self._line(f"total{n} = counted{n}[0][0]")
            for place, (request, when) in enumerate(layer.facets):
                self.names[f"counting{n}_{place}"] = request.load
                counts = f"await shown_facets(db, asked{n}, counting{n}_{place}(variables))"
                indent = self._if(when)
                self._line(f"facets{n}_{place} = {counts}")
                self._indent -= indent
            if layer.keyed:
                self._line(f"seal{n} = asked{n}.seal()")
        elif layer.kind is Kind.RELATED_PAGE:
            if layer.listed:
                self._line(f"groups{n} = grouped(rows{n}, len(parents{n}))")
                if cut:
                    self._line(f"ends{n} = [{self._ended(layer)} for g{n} in groups{n}]")
            if layer.counted:
                self._line(f"totals{n} = dict(counted{n})")
        if with_condition:
            if len(self._lines) == before:
                self._line("pass")
            self._indent -= 1
            if layer.kind is Kind.ROOT_PAGE and layer.listed:
                self._line(f"else: g{n} = []")
            elif layer.kind is Kind.RELATED_PAGE and layer.listed:
                self._line(f"else: groups{n} = []")

    def _ended(self, layer: Layer) -> str:
        n = layer.number
        rows = [f"{name}={name}{n}" for name in sorted(layer.outside)]
        return f"ended({', '.join([f'g{n}', f'load{n}.paging', *rows])})"

    def _build(self, layer: Layer) -> None:
        """Write the code that builds a layer's results, for its parents to find."""
        n = layer.number
        assert isinstance(layer.shape, Object)
        with_condition = self._if(layer.when)
        made = self._object(layer.shape, layer)
        match layer.kind:
            case Kind.ROOT_PAGE:
                self._line(f"made{n} = {made}")
            case Kind.RELATED_PAGE:
                of_each = [("parent", f"parents{n}")]
                if layer.listed:
                    of_each.append((f"g{n}", f"groups{n}"))
                if layer.ended:
                    of_each.append((f"(more{n}, less{n})", f"ends{n}"))
                if layer.keyed:
                    of_each.append((f"seal{n}", f"[asked{n}.seal(id) for id in parents{n}]"))
                if layer.counted:
                    each = f"[totals{n}.get(i, 0) for i in range(len(parents{n}))]"
                    of_each.append((f"total{n}", each))
                names = ", ".join(name for name, _ in of_each)
                lists = ", ".join(rows for _, rows in of_each)
                # The comma after the names: zip() yields a tuple, even of one.
                self._line(f"made{n} = {{parent: {made} for {names}, in zip({lists})}}")
            case Kind.ONE:
                self._line(f"made{n} = [{made} for {self._row(layer)} in rows{n}]")
                self._line(f"made{n} = made{n}[0] if made{n} else None")
            case _:
                width = len(globalids.KINDS[layer.type_name].asked)
                key = ", ".join(f"r{n}_{index}" for index in range(width))
                key = f"({key})" if width > 1 else key
                self._line(f"made{n} = {{{key}: {made} for {self._row(layer)} in rows{n}}}")
        self._indent -= with_condition

    def _row(self, layer: Layer) -> str:
        """The targets that a row of a layer is unpacked into."""
        n = layer.number
        names = ["_"] if layer.kind is Kind.RELATED_PAGE else []
        names += [f"k{n}_{index}" for index in range(len(layer.key))]
        names += [f"r{n}_{index}" for index in range(len(layer.columns) or 1)]
        return "(" + ", ".join(names) + ",)"

    def _object(self, object: Object, layer: Layer | None = None) -> str:
        parts = []
        for field in object.fields:
            value = self._shape(field.value, layer)
            if field.when:
                condition = self._condition(field.when)
                parts.append(f"**({{{field.name!r}: {value}}} if {condition} else NONE)")
            else:
                parts.append(f"{field.name!r}: {value}")
        return "{" + ", ".join(parts) + "}"

    def _shape(self, shape: Shape, layer: Layer | None) -> str:
        """The expression for a value; *layer* is the layer whose page or row contains it."""
        match shape:
            case Text():
                return repr(shape.text)
            case Value(shown=None):
                return shape.expression
            case Value():
                name = self._named("show", shape.shown)
                if callable(shape.shown):
                    return f"{name}({shape.expression})"
                return f"{name}[{shape.expression}]"
            case Id():
                name = self._named("ids", _IDS[shape.type_name])
                return f"{name}[{', '.join(shape.expressions)}]"
            case Object():
                return self._object(shape, layer)
            case Given():
                made = self._object(shape.object, layer)
                return f"({made} if {shape.expression} is not None else None)"
            case Items():
                return self._items(shape)
            case Loaded():
                return self._loaded(shape)
            case NodeList():
                found = ", ".join(f"{one.type_name!r}: made{one.number}" for one in shape.layers)
                each = "NONE.get(name) if not name else found[name].get(id)"
                made = f"[{each} for found in [{{{found}}}] for name, id in wanted{shape.number}]"
                return f"{made}[0]" if shape.single else made
            case PageRows():
                assert layer is not None
                made = self._object(shape.object, layer)
                return f"[{made} for {self._row(layer)} in g{layer.number}]"
            case PageFact():
                return self._fact(shape.name, layer)
        raise AssertionError(shape)

    def _items(self, shape: Items) -> str:
        fields = [(field.name, field.when, field.value) for field in shape.object.fields]
        whole: list[tuple[str, When, Shape]] = [
            (name, frozenset(), Value(f"{shape.variable}[{name!r}]")) for name in _CHANGE
        ]
        if shape.of_json and fields == whole:
            # All fields in stored order: the stored JSON is spliced into the answer.
            return f"Fragment({shape.expression})"
        made = self._object(shape.object)
        listed = f"loads({shape.expression})" if shape.of_json else shape.expression
        return f"[{made} for {shape.variable} in {listed}]"

    def _loaded(self, shape: Loaded) -> str:
        made = f"made{shape.layer.number}"
        if not shape.key:
            return made
        return f"{made}.get({shape.key})" if shape.nullable else f"{made}[{shape.key}]"

    def _fact(self, name: str, layer: Layer | None) -> str:
        assert layer is not None
        n, width = layer.number, len(layer.key)
        if name == "cursor":
            position = ", ".join(f"k{n}_{index}" for index in range(width))
            return f"cursor(({position},), seal{n})"
        start = 1 if layer.kind is Kind.RELATED_PAGE else 0
        return "(" + _PAGE_FACTS[name].format(n=n, key=f"{start}:{start + width}") + ")"

    def _named(self, stem: str, value: Any) -> str:
        """The name for *value* in the function's globals."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = f"{stem}_{len(self.names)}"
        self.names[name] = value
        return name

    def _if(self, alternatives: Sequence[When]) -> int:
        """Begin a block that runs only if one of the conditions holds; its indent, 0 or 1."""
        if any(not when for when in alternatives):
            return 0
        tests = " or ".join(dict.fromkeys(map(self._condition, alternatives)))
        self._line(f"if {tests}:")
        self._indent += 1
        return 1

    def _condition(self, when: When) -> str:
        return self._conditions.setdefault(when, f"if{len(self._conditions)}")

    def _test(self, when: When) -> str:
        return " and ".join(f"given[{name!r}] is {wanted}" for name, wanted in sorted(when))

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)
