"""The changes that tests/reliability/switches makes: found in the text of a Rust file, written around it; never runs anything.

A function answers a plain value at once. A condition is negated, a part of it dropped. A comparison takes or loses its
boundary, a sum is a difference. A statement is left out, a field of a value is its type's default, what a range is asked for
is one more or less. In SQL a condition holds always (or, behind OR, never), a column is not set, one statement of several is
left out.
"""

import re
from dataclasses import dataclass

PIECES = 16  # of one SQL text at most

RUNTIME = '''//! Switches of changes that tests should notice; only ever in a copy.
#![allow(clippy::all, clippy::pedantic, clippy::disallowed_methods, clippy::allow_attributes)]
use std::io::Write;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
static ON: LazyLock<Option<u32>> = LazyLock::new(|| std::env::var("SNAPSHOTD_TEST_MUTANT").ok()?.parse().ok());
static LOG: LazyLock<Option<Mutex<std::fs::File>>> = LazyLock::new(|| {
    let path = std::env::var("SNAPSHOTD_TEST_REACHED").ok()?;
    Some(Mutex::new(std::fs::OpenOptions::new().create(true).append(true).open(path).ok()?))
});
static SEEN: [AtomicBool; NUMBERS] = [const { AtomicBool::new(false) }; NUMBERS];
fn note(number: u32, piece: &str) {
    if let Some(log) = &*LOG && !SEEN[number as usize].swap(true, Ordering::Relaxed) {
        let line = format!("{number}\\t{}\\n", piece.split_whitespace().collect::<Vec<_>>().join(" "));
        let _ = log.lock().map(|mut file| file.write_all(line.as_bytes()));
    }
}
pub fn is(number: u32) -> bool {
    note(number, "");
    *ON == Some(number)
}
pub fn default_or<T: Default>(number: u32, value: T) -> T {
    if is(number) { T::default() } else { value }
}
pub fn less<T: PartialOrd + ?Sized>(number: u32, a: &T, b: &T) -> bool {
    a < b || a == b && is(number)
}
pub fn at_most<T: PartialOrd + ?Sized>(number: u32, a: &T, b: &T) -> bool {
    a < b || a == b && !is(number)
}
pub fn sum<T: Add<Output = T> + Sub<Output = T>>(number: u32, a: T, b: T) -> T {
    if is(number) { a - b } else { a + b }
}
pub fn difference<T: Add<Output = T> + Sub<Output = T>>(number: u32, a: T, b: T) -> T {
    if is(number) { a + b } else { a - b }
}
pub fn more<T: Add<Output = T> + From<bool> + Copy>(number: u32, a: T) -> T {
    if is(number) { a + T::from(true) } else { a }
}
pub fn fewer<T: Sub<Output = T> + From<bool> + Copy>(number: u32, a: T) -> T {
    if is(number) { a - T::from(true) } else { a }
}
/// The end of the condition that begins at `from`: up to what is not part of it.
fn end_of(sql: &str, from: usize) -> usize {
    const ENDS: [&str; 14] = ["AND ", "OR ", "ORDER ", "GROUP ", "LIMIT ", "THEN ", "ELSE ", "END", "RETURNING", "UNION ", "ON ", "WHERE ", "JOIN ", "LEFT "];
    let (mut depth, mut quoted, bytes) = (0, false, sql.as_bytes());
    for at in from..sql.len() {
        match bytes[at] {
            b'\\'' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' if depth == 0 => return at,
            b')' => depth -= 1,
            b';' | b',' if depth == 0 => return at,
            _ if depth == 0 && at > from && bytes[at - 1].is_ascii_whitespace() && ENDS.iter().any(|end| sql[at..].starts_with(end)) => return at,
            _ => {}
        }
    }
    sql.len()
}
/// Each piece of the text that can be changed, and the text with it changed.
fn pieces(sql: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut put = |from: usize, to: usize, text: String| {
        found.push((sql[from..to].to_owned(), format!("{}{} {}", &sql[..from], text, &sql[to..])));
    };
    for (word, rest) in [("AND ", "OR 1 = 1"), ("WHERE ", "OR 1 = 1"), ("OR ", "AND 1 = 0")] {
        for (at, _) in sql.match_indices(word) {
            let before = sql[..at].trim_end();
            let between = before.rfind("BETWEEN").is_some_and(|at| !before[at..].contains("AND"));
            if !(at == 0 || sql.as_bytes()[at - 1].is_ascii_whitespace()) || between && word == "AND " {
                continue;
            }
            let from = at + word.len();
            let to = end_of(sql, from);
            put(from, to, format!("(({}) {rest})", sql[from..to].trim_end()));
        }
    }
    for (at, _) in sql.match_indices("SET ") {
        let mut from = at + 4;
        loop {
            let to = end_of(sql, from);
            let Some((name, _)) = sql[from..to].split_once('=') else { break };
            put(from, to, format!("{} = {}", name.trim(), name.trim()));
            if !sql[to..].starts_with(',') {
                break;
            }
            from = to + 1;
        }
    }
    if sql.trim_end().trim_end_matches(';').contains(';') {
        let mut from = 0;
        for part in sql.split_inclusive(';') {
            if !part.trim().is_empty() {
                put(from, from + part.len(), String::new());
            }
            from += part.len();
        }
    }
    found.truncate(PIECES);
    found
}
/// An SQL text, of which each piece has a number from `base` on.
pub fn sql(base: u32, text: &'static str) -> &'static str {
    if LOG.is_none() && !ON.is_some_and(|on| (base..base + PIECES as u32).contains(&on)) {
        return text;
    }
    for (number, (piece, changed)) in (base..).zip(pieces(text)) {
        note(number, &piece);
        if *ON == Some(number) {
            return Box::leak(changed.into_boxed_str());
        }
    }
    text
}
const PIECES: usize = 16;
impl Default for crate::store::Flag {
    fn default() -> Self {
        Self::from(false)
    }
}
impl Default for crate::clock::Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}
'''
IS = "crate::mutant::is"
OPEN, CLOSE = "([{", ")]}"
ENDS = [" && ", " || ", " = ", "if ", "return ", " => ", "\n", "let ", "else ", "in ", ": "]
KEYWORDS = {"let", "return", "break", "continue", "use", "const", "static", "type", "pub", "fn", "mod", "if", "match", "for",
            "while", "loop", "impl", "struct", "enum", "unsafe", "else", "tracing", "drop", "assert", "debug_assert"}


@dataclass
class Change:
    key: str
    number: int
    file: str
    start: int
    end: int
    before: str
    after: str
    swap: tuple[int, int, str] | None = None
    many: int = 1


def masked(text: str) -> str:
    """The text with comments and what stands in quotes blanked, as long as it was."""
    whole = r"//[^\n]*|b?r(#*)\"[\s\S]*?\"\1|b?\"(?:\\[\s\S]|[^\"\\])*\"|b?'(?:\\[^']+|[^'\\])'"

    def blank(found: re.Match) -> str:
        inside = re.sub(r"[^\n]", " ", found.group(0))
        return inside if found.group(0).startswith("//") else '"' + re.sub(r"\s", "_", inside[2:]) + '"'

    return re.sub(whole, blank, text)


def closing(text: str, at: int) -> int:
    """Where what opens at `at` is closed."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in OPEN) - (text[i] in CLOSE)
        if depth == 0:
            return i
    return len(text) - 1


def plain_values(answer: str) -> list[str]:
    """What a function with this answer may say at once."""
    inner = re.fullmatch(r"Result<(.*), Fault>", answer)
    if inner:
        values = {"()": ["()"], "Empty": ["Empty {}"]}.get(inner.group(1)) or plain_values(inner.group(1))
        return [f"Ok({value})" for value in values]
    if answer.startswith("Option<"):
        return ["None"]
    if answer.startswith("Vec<"):
        return ["Vec::new()"]
    known = {"": [""], "bool": ["true", "false"], "String": ["String::new()"], "RowLocks": ["RowLocks::none()"],
             "i64": ["0", "1"], "u64": ["0", "1"], "usize": ["0", "1"], "&'static str": ['"xyzzy"'], "&str": ['"xyzzy"']}
    return known.get(answer, [])


class Changes:
    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.all: list[Change] = []
        self.left_out: set[str] = set()
        self.next = 0
        self.places: dict[str, list[tuple[int, int, Change]]] = {}
        for file, text in files.items():
            self.file, self.original = file, text
            cut = text.find("#[cfg(test)]")
            self.mask = masked(text if cut < 0 else text[:cut])
            self.keys: dict[str, int] = {}
            self.own: list[Change] = []
            self.skipped = self.definitions()
            for find in (self.functions, self.conditions, self.closures, self.parts, self.comparisons, self.sums,
                         self.statements, self.fields, self.ranges, self.statements_of_sql):
                find()
            self.all += self.own

    def definitions(self) -> list[tuple[int, int]]:
        """What is no code that runs: definitions, signatures, constants, attributes."""
        found = []
        for start in re.finditer(r"\b(?:struct|enum|trait|macro_rules!)\s+\w+[^{;(]*[{;(]", self.mask):
            at = start.end() - 1
            found.append((start.start(), closing(self.mask, at) if self.mask[at] in OPEN else at))
        for start in re.finditer(r"\b(?:const|static)\s+(?!fn\b)\w+:", self.mask):
            at = start.end()
            while self.mask[at] != ";":
                at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
            found.append((start.start(), at))
        for start in re.finditer(r"\bconst fn [^{;]*\{", self.mask):
            found.append((start.start(), closing(self.mask, start.end() - 1)))
        for start in re.finditer(r"#!?\[", self.mask):
            found.append((start.start(), closing(self.mask, start.end() - 1)))
        for start in re.finditer(r"\bfn \w+[^{;]*[{;]", self.mask):
            found.append((start.start(), start.end() - 1))
        for start in re.finditer(r"\b(?:matches|concat|format|write|vec|select|held|event|bury)!\(", self.mask):
            if start.group(0).startswith(("matches", "concat", "select", "held")):
                found.append((start.start(), closing(self.mask, start.end() - 1)))
        return found

    def new(self, what: str, start: int, end: int, before: str, after: str, swap=None, many: int = 1) -> None:
        """`before` and `after` stand around what is changed; N is the number of the switch."""
        if end > len(self.mask) or any(a <= start < b for a, b in self.skipped):
            return
        for other in self.own:
            crossing = other.start < start < other.end < end or start < other.start < end < other.end
            if crossing or other.swap and start < other.swap[1] and end > other.swap[0] and not (start <= other.start and end >= other.end):
                return
        shown = " ".join(self.original[start:end].split())[:90].encode("latin-1").decode("utf-8", "replace")
        key = f"{self.file}: {what}: {shown}"
        self.keys[key] = self.keys.get(key, 0) + 1
        key = f"{key} #{self.keys[key]}" if self.keys[key] > 1 else key
        number = str(self.next)
        put = [text.replace("NUMBER", number) for text in (before, after)]
        self.own.append(Change(key, self.next, self.file, start, end, *put, swap, many))
        self.next += many

    def functions(self) -> None:
        for found in re.finditer(r"\bfn (\w+)", self.mask):
            if self.mask[: found.start()].endswith("const "):
                continue
            at = self.mask.find("(", found.end())
            brace = re.compile(r"[^{;]*?\{").match(self.mask, closing(self.mask, at) + 1)
            if not brace:
                continue
            answer = re.sub(r"\s*\bwhere\b[\s\S]*", "", brace.group(0)[:-1].strip().removeprefix("->")).strip()
            for value in plain_values(answer):
                place = brace.end()
                self.new(f"{found.group(1)}: return {value}", place, place, f" if {IS}(NUMBER) {{ return {value}; }}", "")

    def conditions(self) -> None:
        for found in re.finditer(r"\bif ", self.mask):
            start = at = found.end()
            while at < len(self.mask) and not self.mask.startswith((" {", " =>"), at) and self.mask[at] not in CLOSE + ";":
                at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
            if self.mask.startswith((" {", " =>"), at) and "let " not in self.mask[start:at]:
                self.new("negated", start, at, "((", f") != {IS}(NUMBER))")

    def closures(self) -> None:
        asked = r"\.(?:filter|any|all|find|retain|is_some_and|is_none_or|position|take_while|skip_while|partition)\((?:move )?\|[^|]*\| "
        for found in re.finditer(asked, self.mask):
            end = closing(self.mask, self.mask.index("(", found.start()))
            if self.mask[found.end()] != "{":
                self.new("negated", found.end(), end, "((", f") != {IS}(NUMBER))")

    def left(self, at: int, ends: list[str]) -> int:
        """Where the operand that ends at `at` begins."""
        i = at
        while i > 0:
            if self.mask[i - 1] in CLOSE:
                depth, i = 1, i - 1
                while depth and i > 0:
                    i -= 1
                    depth += (self.mask[i] in CLOSE) - (self.mask[i] in OPEN)
                continue
            if self.mask[i - 1] in OPEN + ",;" or any(self.mask.endswith(end, 0, i) for end in ends):
                return i
            if self.mask[i - 1] == "|":
                return i + (self.mask[i] == " ")
            i -= 1
        return 0

    def right(self, at: int, ends: list[str]) -> int:
        """Where the operand that begins at `at` ends."""
        while at < len(self.mask):
            if self.mask[at] in CLOSE + ",;" or self.mask.startswith(" {", at) or any(self.mask.startswith(end, at) for end in ends):
                return at
            at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
        return at

    def parts(self) -> None:
        """Each operand of && and ||; what makes no difference to the outcome does not count as reached."""
        for found in re.finditer(r"\s+(&&|\|\|)\s+", self.mask):
            if self.mask[: found.start()].rstrip()[-1] in "=(,{|":
                continue
            ends = [" || ", "\n"] if found.group(1) == "||" else [" && ", " || ", "\n"]
            neutral = f") || {IS}(NUMBER))" if found.group(1) == "&&" else f") && !{IS}(NUMBER))"
            end = self.right(found.end(), [*ends, " => "])
            operands = [(found.end(), end)]
            start = self.left(found.start(), [*ENDS, "&& ", "|| "])
            before = self.mask[:start].rstrip()
            if not before.endswith(("&&", "||")):
                operands.append((start, found.start()))
            for a, b in operands:
                inside = self.mask[a:b]
                if "let " not in inside and inside.strip() and inside.count("\n") == 0:
                    self.new("dropped", a, b, "((", neutral)

    def comparisons(self) -> None:
        taken = {(change.start, change.end) for change in self.own}
        for found in re.finditer(r" (==|!=|<=|>=|<|>) ", self.mask):
            start = self.left(found.start(), [*ENDS, "&& ", "|| "])
            start += len(self.mask[start:]) - len(self.mask[start:].lstrip(" "))
            end = self.right(found.end(), [*ENDS, "? "])
            inside = self.mask[start:end]
            if re.search(r"\bas \w+ <|\?$", inside) or not inside[0].isalnum() and inside[0] not in "*&(_":
                continue
            operator = found.group(1)
            if operator in ("==", "!="):
                if (start, end) in taken:
                    continue
                self.new("negated", start, end, "((", f") != {IS}(NUMBER))")
                continue
            name = "less" if operator in "<>" else "at_most"
            if operator in ("<", "<="):
                self.new("boundary", start, end, f"crate::mutant::{name}(NUMBER, &(", "))", (found.start(), found.end(), "), &("))
            else:
                # Not a < b, with the boundary in or out.
                other = "at_most" if operator == ">" else "less"
                self.new("boundary", start, end, f"(!crate::mutant::{other}(NUMBER, &(", ")))", (found.start(), found.end(), "), &("))

    def sums(self) -> None:
        operand = r"(?<![\w.)\]] )(?<![\w.)\]])((?:[\w.]|::)+(?:\(\))?) ([+-]) ((?:[\w.]|::)+(?:\(\))?)(?= ?[;,)\n}]| [<>=&|{])"
        for found in re.finditer(operand, self.mask):
            before = self.mask[: found.start()].rstrip()
            if before[-1:] in "+-*/%" or found.group(3).endswith("("):
                continue
            name = "sum" if found.group(2) == "+" else "difference"
            self.new("other sign", found.start(), found.end(), f"crate::mutant::{name}(NUMBER, ", ")", (found.start(2) - 1, found.end(2) + 1, ", "))

    def statements(self) -> None:
        for found in re.finditer(r"(?m)^[ ]+(?=[a-z_*])", self.mask):
            start = found.end()
            word = re.match(r"\*?(\w+)(!?)", self.mask[start:])
            before = self.mask[: found.start()].rstrip()
            if not word or word.group(1) in KEYWORDS or word.group(2) or before[-1:] not in (";", "{", "}"):
                continue
            at = start
            while at < len(self.mask) and self.mask[at] not in ";" + CLOSE and not self.mask.startswith((" =>", " {", ": ", ","), at):
                at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
            if self.mask[at : at + 1] == ";":
                self.new("left out", start, at + 1, f"if !{IS}(NUMBER) {{ ", " }")

    def fields(self) -> None:
        for found in re.finditer(r"(?m)(?:^[ ]+|[{,] )([a-z_]\w*): (?!:)", self.mask):
            if found.group(0).lstrip().startswith("..") or self.mask[found.end()] in "|":
                continue
            start = at = found.end()
            while at < len(self.mask) and self.mask[at] not in ",;" + CLOSE:
                at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
            inside = self.mask[start:at].rstrip()
            plain = re.fullmatch(r"String::new\(\)|None|false|0|\"\"|Vec::new\(\)|false\.into\(\)|.*\bdefault\(\)", inside)
            if inside and not plain and "=>" not in inside and self.mask[at] != ";":
                self.new(f"{found.group(1)} by default", start, start + len(inside), "crate::mutant::default_or(NUMBER, ", ")")

    def ranges(self) -> None:
        for found in re.finditer(r"\.contains\(&([\w.]+)\)", self.mask):
            for name in ("more", "fewer"):
                self.new(name, found.start(1), found.end(1), f"crate::mutant::{name}(NUMBER, ", ")")

    def statements_of_sql(self) -> None:
        for found in re.finditer(r"\bsqlx::query(?:_as|_scalar)?(?:::<[^(]*>)?\(|(?<!fn )\beffect\(", self.mask):
            start = found.end()
            if found.group(0) == "effect(":
                start = self.mask.index(",", start) + 1
            start += len(self.mask[start:]) - len(self.mask[start:].lstrip())
            at = start
            while self.mask[at] not in "," + CLOSE:
                at = closing(self.mask, at) + 1 if self.mask[at] in OPEN else at + 1
            inside = self.mask[start:at].strip()
            if not inside.startswith("sqlx::") and not re.fullmatch(r"[a-z]\w*", inside):
                self.new("sql", start, start + len(self.mask[start:at].rstrip()), "crate::mutant::sql(NUMBER, ", ")", many=PIECES)

    def made(self) -> list[Change]:
        return [change for change in self.all if change.key not in self.left_out]

    def text(self, file: str) -> str:
        """The file with its changes; remembers where each came to stand."""
        own = [change for change in self.all if change.file == file and change.key not in self.left_out]
        points: list[tuple[tuple, str, Change, int]] = []
        for i, change in enumerate(own):
            if change.start == change.end:
                points.append(((change.start, 1, 0, i), change.before, change, 0))
                continue
            length = change.end - change.start
            points.append(((change.start, 2, -length, i), change.before, change, 0))
            points.append(((change.end, 0, length, -i), change.after, change, 1))
        swaps = sorted(change.swap for change in own if change.swap)
        original, out, at, place = self.files[file], [], 0, 0
        began: dict[str, int] = {}
        self.places[file] = []

        def put(text: str) -> None:
            nonlocal place
            out.append(text)
            place += len(text)

        def up_to(end: int) -> None:
            nonlocal at
            for a, b, text in swaps:
                if at <= a and b <= end:
                    put(original[at:a])
                    put(text)
                    at = b
            put(original[at:end])
            at = end

        for (position, *_), text, change, closes in sorted(points, key=lambda point: point[0]):
            up_to(position)
            if not closes:
                began[change.key] = place
            put(text)
            if closes or change.start == change.end:
                self.places[file].append((began[change.key], place, change))
        up_to(len(original))
        return "".join(out)

    def at(self, file: str, start: int, end: int) -> set[str]:
        """The innermost change around these bytes, else all that touch them, else the assignments before them in the function."""
        places = self.places.get(file, [])
        around = sorted((b - a, change.key) for a, b, change in places if a <= start and end <= b)
        inside = {change.key for a, b, change in places if start <= a and b <= end}
        touched = {change.key for a, b, change in places if a < end and start < b}
        function = self.text(file).rfind("fn ", 0, start)
        before = {change.key for a, b, change in places if function <= a and b <= start and ": left out: " in change.key}
        around = [key for _, key in around if key not in self.left_out]
        return {around[0]} if around else inside or touched or before
